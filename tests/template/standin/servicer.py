"""A provider of Terraform's protocol 6 that serves any schema; its rules come as a `Rules` object."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc
from tf.types import Unknown

from tests.template.standin import schema, values

Json = dict[str, Any]


class RefusedError(Exception):
    """What the provider refuses: an error as Terraform shows it.

    Args:
        summary, detail: its texts.
        made: the computed values of a resource that was made before it came to that.
    """

    def __init__(self, summary: str, detail: str = "", *, made: Json | None = None) -> None:
        super().__init__(summary)
        self.made = made
        self.diagnostic = pb.Diagnostic(severity=pb.Diagnostic.ERROR, summary=summary, detail=detail)


class Rules:
    """What a provider does beyond its schema.

    Args:
        environment: of the provider's process; the providers take much from it.
    """

    defaults: Mapping[str, Mapping[str, Any]] = {}
    """By resource type: dotted path to default."""
    updated: Mapping[str, frozenset[str]] = {}
    """By resource type: what changes in place; all else makes a new resource."""

    replacing: Mapping[str, frozenset[str]] = {}
    """By resource type, instead of `updated`: dotted paths whose change makes a new resource."""

    filled_in: Mapping[str, frozenset[str]] = {}
    """By resource type: blocks that the provider fills in where the template has none."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment

    def configure(self, config: Json) -> None:
        """Take the provider's own configuration."""

    def validate(self, kind: str, config: Json) -> None:
        """Refuse a resource or data source whose configuration is wrong by itself."""

    def data(self, kind: str, config: Json) -> Json:
        """The computed values of a data source."""
        raise RefusedError(f"the stand-in computes nothing for data source {kind}")

    def create(self, kind: str, planned: Json) -> Json:
        """The computed values of a new resource."""
        raise RefusedError(f"the stand-in creates no {kind}")

    def refresh(self, kind: str, state: Json) -> Json:
        """The state of a resource when Terraform asks for it."""
        return state


class Provider(rpc.ProviderServicer):
    """Serves one provider's schema with its rules."""

    def __init__(self, provider_schema: Json, rules: Rules) -> None:
        self._schema = provider_schema
        self._resources = provider_schema.get("resource_schemas", {})
        self._sources = provider_schema.get("data_source_schemas", {})
        self._rules = rules

    # What there is --------------------------------------------------------------------------------

    def GetMetadata(self, request: pb.GetMetadata.Request, context: object) -> pb.GetMetadata.Response:  # noqa: N802
        return pb.GetMetadata.Response(server_capabilities=_CAPABILITIES)

    def GetProviderSchema(  # noqa: N802
        self, request: pb.GetProviderSchema.Request, context: object
    ) -> pb.GetProviderSchema.Response:
        return pb.GetProviderSchema.Response(
            provider=schema.to_protocol(self._schema.get("provider", {})),
            resource_schemas={name: schema.to_protocol(one) for name, one in self._resources.items()},
            data_source_schemas={name: schema.to_protocol(one) for name, one in self._sources.items()},
            server_capabilities=_CAPABILITIES,
        )

    # What may be ----------------------------------------------------------------------------------

    def ValidateProviderConfig(  # noqa: N802
        self, request: pb.ValidateProviderConfig.Request, context: object
    ) -> pb.ValidateProviderConfig.Response:
        return pb.ValidateProviderConfig.Response()

    def ConfigureProvider(  # noqa: N802
        self, request: pb.ConfigureProvider.Request, context: object
    ) -> pb.ConfigureProvider.Response:
        answer = pb.ConfigureProvider.Response()
        with _refusals(answer):
            self._rules.configure(values.read(request.config))
        return answer

    def ValidateResourceConfig(  # noqa: N802
        self, request: pb.ValidateResourceConfig.Request, context: object
    ) -> pb.ValidateResourceConfig.Response:
        answer = pb.ValidateResourceConfig.Response()
        with _refusals(answer):
            self._rules.validate(request.type_name, values.read(request.config))
        return answer

    def ValidateDataResourceConfig(  # noqa: N802
        self, request: pb.ValidateDataResourceConfig.Request, context: object
    ) -> pb.ValidateDataResourceConfig.Response:
        answer = pb.ValidateDataResourceConfig.Response()
        with _refusals(answer):
            self._rules.validate(request.type_name, values.read(request.config))
        return answer

    # Data sources and resources -------------------------------------------------------------------

    def ReadDataSource(  # noqa: N802
        self, request: pb.ReadDataSource.Request, context: object
    ) -> pb.ReadDataSource.Response:
        answer = pb.ReadDataSource.Response()
        with _refusals(answer):
            kind = request.type_name
            config = values.filled(
                self._sources[kind]["block"],
                values.read(request.config),
                self._rules.defaults.get(kind, {}),
                None,
            )
            answer.state.CopyFrom(values.write({**config, **self._rules.data(kind, config)}))
        return answer

    def UpgradeResourceState(  # noqa: N802
        self, request: pb.UpgradeResourceState.Request, context: object
    ) -> pb.UpgradeResourceState.Response:
        state = json.loads(request.raw_state.json)
        return pb.UpgradeResourceState.Response(upgraded_state=values.write(state))

    def ReadResource(self, request: pb.ReadResource.Request, context: object) -> pb.ReadResource.Response:  # noqa: N802
        state = self._rules.refresh(request.type_name, values.read(request.current_state))
        return pb.ReadResource.Response(new_state=values.write(state), private=request.private)

    def PlanResourceChange(  # noqa: N802
        self, request: pb.PlanResourceChange.Request, context: object
    ) -> pb.PlanResourceChange.Response:
        kind = request.type_name
        before, proposed = values.read(request.prior_state), values.read(request.proposed_new_state)
        # Both real providers are of the old SDK, which may plan a default that the schema does not know.
        answer = pb.PlanResourceChange.Response(legacy_type_system=True)
        if proposed is None:
            answer.planned_state.CopyFrom(values.write(None))
            return answer
        defaults = self._rules.defaults.get(kind, {})
        unset = Unknown if before is None else None
        planned = values.filled(self._resources[kind]["block"], proposed, defaults, unset)
        if before is not None:
            for name in self._rules.filled_in.get(kind, frozenset()):
                planned[name] = planned[name] or before[name]
            for name in self._replaced(kind, before, planned):
                answer.requires_replace.append(
                    pb.AttributePath(steps=[pb.AttributePath.Step(attribute_name=name)])
                )
        answer.planned_state.CopyFrom(values.write(planned))
        return answer

    def _replaced(self, kind: str, before: Json, planned: Json) -> list[str]:
        """The top-level names whose change makes a new resource."""
        if kind in self._rules.replacing:
            paths = [path.split(".") for path in sorted(self._rules.replacing[kind])]
            changed = [path[0] for path in paths if values.at(before, path) != values.at(planned, path)]
            return list(dict.fromkeys(changed))
        changed = [name for name, value in planned.items() if value != before.get(name)]
        return sorted(set(changed) - self._rules.updated.get(kind, frozenset()))

    def ApplyResourceChange(  # noqa: N802
        self, request: pb.ApplyResourceChange.Request, context: object
    ) -> pb.ApplyResourceChange.Response:
        answer = pb.ApplyResourceChange.Response(legacy_type_system=True)
        before, planned = values.read(request.prior_state), values.read(request.planned_state)
        if planned is None:
            answer.new_state.CopyFrom(values.write(None))
            return answer
        with _refusals(answer):
            try:
                made = (
                    {} if before is not None else self._rules.create(request.type_name, values.known(planned))
                )
            except RefusedError as error:
                # What is in the state then is made anew by the next run.
                if error.made is not None:
                    answer.new_state.CopyFrom(values.write(values.known(planned | error.made)))
                raise
            answer.new_state.CopyFrom(values.write(values.known(planned | made)))
        return answer

    def StopProvider(self, request: pb.StopProvider.Request, context: object) -> pb.StopProvider.Response:  # noqa: N802
        return pb.StopProvider.Response()


_CAPABILITIES = pb.ServerCapabilities(get_provider_schema_optional=True)


@contextlib.contextmanager
def _refusals(answer: Any) -> Iterator[None]:  # noqa: ANN401 - any answer has diagnostics
    try:
        yield
    except RefusedError as error:
        answer.diagnostics.append(error.diagnostic)
