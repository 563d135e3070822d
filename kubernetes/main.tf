# The Coder template of these workspaces on Kubernetes: one pod, which boots systemd from our image and has its
# own Docker engine. docs/kubernetes.md says what the cluster needs, and what each variable is for.
#
# What this file shares with ../main.tf (parameters, presets, the agent, its scripts and apps) is the same, block by
# block: tests/template/shared.py copies it from there, and a test compares it.

terraform {
  required_version = ">= 1.9" # validations here look at other variables

  required_providers {
    coder = {
      source  = "coder/coder"
      version = ">= 2.13, < 3.0"
    }
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = ">= 2.38, < 4.0"
    }
  }
}

# Variables -------------------------------------------------------------------------------------------
#
# Coder keeps the values of the active version's variables for the next push, including defaults. So a
# default here reaches only new templates, and a value that a validation refuses stops a push. A variable
# whose default has to follow the version has an empty value that means "this version's own". Sensitive
# variables have no validation: Terraform below 1.15 prints the value that it refuses. They are checked by
# preconditions.

variable "image_repository" {
  type        = string
  default     = "ghcr.io/sourecode/coder-workspace"
  description = "Where the images come from; the tag is the stack, followed by -engine if the workspace has its own Docker engine."

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9._:-]*(/[a-z0-9][a-z0-9._-]*)*$", var.image_repository))
    error_message = "Give a repository without a tag or digest, e.g. ghcr.io/you/coder-workspace."
  }
  # An earlier default, which Coder keeps for existing templates. Anyone can register that name, and images run privileged.
  validation {
    condition     = !startswith(var.image_repository, "ghcr.io/coder-ws-runtime/")
    error_message = "The organisation coder-ws-runtime, an earlier default, does not belong to this project. Push with --variable image_repository=ghcr.io/sourecode/coder-workspace, or name your own repository."
  }
}

variable "image_digests" {
  type        = map(string)
  default     = {}
  description = "Digests by tag, e.g. {\"base-engine\": \"sha256:…\"}. A node that has such an image does not ask the registry."

  validation {
    condition     = alltrue([for digest in values(var.image_digests) : can(regex("^sha256:[0-9a-f]{64}$", digest))])
    error_message = "Give digests as registries do: sha256: and 64 hexadecimal digits."
  }
}

variable "arch" {
  type        = string
  default     = ""
  description = "The architecture of the nodes that run the workspaces, amd64 or arm64. Pods are scheduled only to such nodes. Empty: the provisioner's."

  validation {
    condition     = contains(["", "amd64", "arm64"], var.arch)
    error_message = "The images are built for amd64 and arm64."
  }
}

variable "max_memory" {
  type        = number
  default     = 64
  description = "The most memory that a user may choose, in GiB."

  validation {
    condition     = var.max_memory >= 1 && floor(var.max_memory) == var.max_memory
    error_message = "Give a whole number of GiB, at least 1."
  }
}

variable "max_cpus" {
  type        = number
  default     = 16
  description = "The most cores that a user may choose."

  validation {
    condition     = var.max_cpus >= 1 && floor(var.max_cpus) == var.max_cpus
    error_message = "Give a whole number of cores, at least 1."
  }
}

variable "jetbrains_builds" {
  type        = map(string)
  default     = { CL = "", GO = "", IU = "", PS = "", PY = "", RD = "", RM = "", RR = "", WS = "" }
  description = "The JetBrains IDEs on offer: product code and build that Toolbox installs, e.g. {\"IU\": \"261.22158.277\"}. If the build is empty, it is the one in this version of the template."

  validation {
    condition     = length(var.jetbrains_builds) > 0
    error_message = "Name at least one IDE, e.g. {\"IU\": \"261.22158.277\"}."
  }
  validation {
    condition     = alltrue([for build in values(var.jetbrains_builds) : can(regex("^([0-9]+([.][0-9]+)+)?$", build))])
    error_message = "Give builds as JetBrains numbers them, e.g. 261.22158.277, or \"\" for this version's own."
  }
}

variable "external_auth" {
  type        = map(string)
  default     = {}
  description = "Coder's external authentication providers, by ID: \"required\" before a workspace is created, or \"optional\", e.g. {\"github\": \"required\"}. Git uses them for https, including git-clone."

  validation {
    condition     = alltrue([for need in values(var.external_auth) : contains(["required", "optional"], need)])
    error_message = "Give \"required\" or \"optional\" for each ID, e.g. {\"github\": \"required\"}."
  }
}

variable "known_hosts" {
  type        = string
  default     = <<-EOT
    github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl
    gitlab.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/nOeHHE5UOzRdf
    bitbucket.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIazEu89wgQZ4bqs3d63QSMzYVa0MuJ2e2gKTKqu+UUO
  EOT
  description = "Host keys that ssh trusts in every workspace, in the format of known_hosts(5). Empty: none."
}

variable "gitignore" {
  type        = list(string)
  default     = [".idea/", ".codex"]
  description = "Patterns that Git ignores in every repository, for users who have no ~/.config/git/ignore of their own. Empty: none."

  validation {
    condition     = alltrue([for pattern in var.gitignore : can(regex("^[^[:cntrl:]]+$", pattern))])
    error_message = "Give one pattern of gitignore(5) per entry, e.g. [\".idea/\"]."
  }
}

variable "language" {
  type        = string
  default     = ""
  description = "LANG of every shell and unit, e.g. de_DE.UTF-8. The image has to have that locale; ours has C.UTF-8. Empty: the image's default."

  validation {
    condition     = can(regex("^[A-Za-z0-9_.@-]*$", var.language))
    error_message = "Give the name of a locale, e.g. de_DE.UTF-8."
  }
}

variable "time_zone" {
  type        = string
  default     = ""
  description = "The time zone that users are offered first, e.g. Europe/Berlin. Empty: UTC."

  validation {
    condition     = can(regex("^([A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*)?$", var.time_zone))
    error_message = "Give a name of the time zone database, e.g. Europe/Berlin."
  }
}

variable "memory_threshold" {
  type        = number
  default     = 90
  description = "Percentage of memory use above which Coder notifies the owner; 0: never."

  validation {
    condition     = var.memory_threshold >= 0 && var.memory_threshold <= 100 && floor(var.memory_threshold) == var.memory_threshold
    error_message = "Give a whole number from 0 to 100."
  }
}

variable "volume_threshold" {
  type        = number
  default     = 90
  description = "Percentage of use of the home's and the projects' volumes above which Coder notifies the owner; 0: never."

  validation {
    condition     = var.volume_threshold >= 0 && var.volume_threshold <= 100 && floor(var.volume_threshold) == var.volume_threshold
    error_message = "Give a whole number from 0 to 100."
  }
}

variable "daily_cost" {
  type        = number
  default     = 0
  description = "The daily cost of a running workspace for its owner's quota; 0: none. Coder's quotas need a licence."

  validation {
    condition     = var.daily_cost >= 0 && floor(var.daily_cost) == var.daily_cost
    error_message = "Give a whole number, at least 0."
  }
}

variable "claude_app" {
  type        = bool
  default     = true
  description = "A button that opens Claude Code in the project."
}

variable "anthropic_api_key" {
  type        = string
  default     = ""
  sensitive   = true
  description = "An API key for Claude Code in every workspace. Users see it."
}

variable "claude_code_oauth_token" {
  type        = string
  default     = ""
  sensitive   = true
  description = "A token of `claude setup-token` for Claude Code in every workspace. Users see it."
}

variable "anthropic_base_url" {
  type        = string
  default     = ""
  description = "The gateway that Claude Code uses instead of Anthropic, e.g. https://llm.example.org."

  validation {
    condition     = can(regex("^(https?://[A-Za-z0-9.:/_~%-]+)?$", var.anthropic_base_url))
    error_message = "Give a URL, e.g. https://llm.example.org, of letters, digits and . : / _ ~ % - only."
  }
}

variable "enable_ai_gateway" {
  type        = bool
  default     = false
  description = "Whether Claude Code uses Coder's AI Gateway, as the workspace's owner."
}

variable "use_bedrock" {
  type        = bool
  default     = false
  description = "Whether Claude Code uses Amazon Bedrock, with the workspace's AWS credentials."
}

variable "use_vertex" {
  type        = bool
  default     = false
  description = "Whether Claude Code uses Google Vertex AI, with the workspace's Google credentials."
}

variable "claude_model" {
  type        = string
  default     = ""
  description = "The model that Claude Code uses; gateways, Bedrock and Vertex have their own names. Empty: its default."
}

# Variables of the engine Kubernetes -----------------------------------------------------------------

variable "kubeconfig" {
  type        = string
  default     = ""
  description = "Path of a kubeconfig file on the provisioner. Empty: the service account of the provisioner's own pod."
}

variable "kube_context" {
  type        = string
  default     = ""
  description = "The context of the kubeconfig file to use. Empty: its current one."
}

variable "namespace" {
  type        = string
  default     = "coder-workspaces"
  description = "Namespace of the workspaces. It has to exist, and to allow privileged pods (pod-security.kubernetes.io/enforce: privileged) unless privileged is false."

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "Give a Kubernetes name: lower-case letters, digits and -, at most 63 characters."
  }
}

variable "image_pull_policy" {
  type        = string
  default     = ""
  description = "Always, IfNotPresent or Never. Empty: IfNotPresent for an image in image_digests, Always for a tag, which can change."

  validation {
    condition     = contains(["", "Always", "IfNotPresent", "Never"], var.image_pull_policy)
    error_message = "Give Always, IfNotPresent or Never, or nothing."
  }
}

variable "image_pull_secrets" {
  type        = list(string)
  default     = []
  description = "Names of secrets in the namespace with the credentials of a private registry."

  validation {
    condition     = alltrue([for name in var.image_pull_secrets : can(regex("^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", name))])
    error_message = "Give names of secrets: lower-case letters, digits, - and . only."
  }
}

variable "home_claim" {
  type        = string
  default     = "coder-homes"
  description = "Claim (ReadWriteMany) with the owners' homes; it has to exist. If the name contains {owner_id} or {owner}, each owner has a claim, which you create beforehand."

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", replace(var.home_claim, "/[{]owner(_id)?[}]/", "x")))
    error_message = "Give the name of a claim, of lower-case letters, digits and -, e.g. coder-homes or coder-{owner_id}-home."
  }
}

variable "home_path" {
  type        = string
  default     = "homes/{owner_id}"
  description = "Directory of one owner's home on the claim; {owner_id} and {owner} are replaced. A user can be renamed, an ID never changes. Empty: the whole claim, which then belongs to the owner."

  validation {
    condition     = can(regex("^$|^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$", replace(var.home_path, "/[{]owner(_id)?[}]/", "x")))
    error_message = "Give a relative path without '..', e.g. homes/{owner_id}."
  }
  validation {
    condition     = can(regex("[{]owner(_id)?[}]", "${var.home_claim} ${var.home_path}"))
    error_message = "Put {owner_id} into home_claim or home_path: owners do not share a home."
  }
}

variable "shared_claim" {
  type        = string
  default     = ""
  description = "Claim (ReadWriteMany) that all workspaces share at /mnt/shared; it has to exist. Empty: none."

  validation {
    condition     = can(regex("^$|^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", var.shared_claim))
    error_message = "Give the name of a claim, of lower-case letters, digits and -. Or nothing."
  }
}

variable "shared_path" {
  type        = string
  default     = "shared"
  description = "Directory on shared_claim. Empty: the whole claim."

  validation {
    condition     = can(regex("^$|^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$", var.shared_path))
    error_message = "Give a relative path without '..', e.g. shared."
  }
  validation {
    condition     = var.shared_claim != var.home_claim || (var.shared_path != "" && !startswith("${var.home_path}/", "${var.shared_path}/"))
    error_message = "On the claim of the homes, give a directory that contains no home, e.g. shared: everyone can see its content."
  }
}

variable "projects_storage_class" {
  type        = string
  default     = ""
  description = "Storage class of each workspace's projects (ReadWriteOnce). Empty: the cluster's default."

  validation {
    condition     = can(regex("^$|^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", var.projects_storage_class))
    error_message = "Give the name of a storage class. Or nothing."
  }
}

variable "projects_size" {
  type        = string
  default     = "20Gi"
  description = "Size of the claim of a new workspace's projects. An existing claim keeps its size."

  validation {
    condition     = can(regex("^[1-9][0-9]*[MGT]i$", var.projects_size))
    error_message = "Give a size in Kubernetes' notation, e.g. 20Gi."
  }
}

variable "engine" {
  type        = string
  default     = "own"
  description = "own: a Docker engine in each workspace, in images whose tag ends in -engine. none: no Docker."

  validation {
    condition     = contains(["own", "none"], var.engine)
    error_message = "Give own or none. Nodes have no Docker socket to mount."
  }
}

variable "docker_storage_class" {
  type        = string
  default     = ""
  description = "Storage class of the Docker engine's data (ReadWriteOnce, a local file system such as ext4 or xfs). Empty: the cluster's default."

  validation {
    condition     = can(regex("^$|^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", var.docker_storage_class))
    error_message = "Give the name of a storage class. Or nothing."
  }
}

variable "docker_size" {
  type        = string
  default     = "40Gi"
  description = "Size of the claim of a new workspace's Docker data: images, build cache, volumes. An existing claim keeps its size."

  validation {
    condition     = can(regex("^[1-9][0-9]*[MGT]i$", var.docker_size))
    error_message = "Give a size in Kubernetes' notation, e.g. 40Gi."
  }
}

variable "docker_mtu" {
  type        = number
  default     = 0
  description = "MTU of the Docker engine's networks. 0: that of the pod's network, which is right unless there is a tunnel in between."

  validation {
    condition     = var.docker_mtu == 0 || (var.docker_mtu >= 576 && var.docker_mtu <= 65535 && floor(var.docker_mtu) == var.docker_mtu)
    error_message = "Give a whole number from 576 to 65535, or 0."
  }
}

variable "docker_address_pools" {
  type        = list(string)
  default     = []
  description = "Address ranges for the Docker engine's networks, each of which takes a /24, e.g. [\"192.168.128.0/17\"]. They must not overlap the cluster's pods and services. Empty: Docker's defaults (172.17.0.0/16 and following)."

  validation {
    condition     = alltrue([for pool in var.docker_address_pools : can(regex("^([0-9]{1,3}[.]){3}[0-9]{1,3}/([0-9]|1[0-9]|2[0-4])$", pool)) && try(cidrhost(pool, 0) == split("/", pool)[0], false)])
    error_message = "Give networks like 192.168.128.0/17, with a prefix of at most 24 bits."
  }
}

variable "privileged" {
  type        = bool
  default     = true
  description = "Run the workspace as a privileged container, which systemd and the Docker engine need with the usual runtime. With an isolating runtime class (Sysbox, Kata), it can be false."
}

variable "runtime_class" {
  type        = string
  default     = ""
  description = "RuntimeClass of the pod, e.g. sysbox-runc. Empty: the cluster's default."

  validation {
    condition     = can(regex("^$|^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", var.runtime_class))
    error_message = "Give the name of a RuntimeClass. Or nothing."
  }
  validation {
    condition     = var.privileged || var.runtime_class != ""
    error_message = "Without privileged, systemd needs a runtime class that lets it write its control groups: set runtime_class, or leave privileged on."
  }
}

variable "capabilities" {
  type        = list(string)
  default     = []
  description = "Capabilities that the container gets if privileged is false, e.g. [\"SYS_ADMIN\", \"NET_ADMIN\"] for a runtime class with writable control groups."

  validation {
    condition     = alltrue([for name in var.capabilities : can(regex("^[A-Z][A-Z_]*$", name)) && !startswith(name, "CAP_")])
    error_message = "Give capabilities in Kubernetes' notation: SYS_ADMIN, not CAP_SYS_ADMIN."
  }
}

variable "service_account" {
  type        = string
  default     = ""
  description = "Service account of the pod; its token is not mounted. Empty: the namespace's default."

  validation {
    condition     = can(regex("^$|^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", var.service_account))
    error_message = "Give the name of a service account. Or nothing."
  }
}

variable "priority_class" {
  type        = string
  default     = ""
  description = "Priority class of the pod. Empty: the cluster's default."

  validation {
    condition     = can(regex("^$|^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", var.priority_class))
    error_message = "Give the name of a priority class. Or nothing."
  }
}

variable "node_selector" {
  type        = map(string)
  default     = {}
  description = "Labels that a node must have to run workspaces."

  validation {
    condition     = alltrue([for key in keys(var.node_selector) : key != "kubernetes.io/arch"])
    error_message = "Use the variable arch for the architecture of the nodes."
  }
}

variable "tolerations" {
  type = list(object({
    key      = optional(string)
    operator = optional(string, "Equal")
    value    = optional(string)
    effect   = optional(string)
  }))
  default     = []
  description = "Taints of nodes that workspaces tolerate, e.g. [{\"key\": \"workspaces\", \"operator\": \"Exists\"}]."

  validation {
    condition     = alltrue([for one in var.tolerations : contains(["Equal", "Exists"], one.operator) && (one.key != null || one.operator == "Exists") && (one.operator != "Exists" || one.value == null)])
    error_message = "An operator is Equal or Exists; Equal needs a key, and Exists has no value."
  }
  validation {
    condition     = alltrue([for one in var.tolerations : contains(["NoSchedule", "PreferNoSchedule", "NoExecute"], coalesce(one.effect, "NoSchedule"))])
    error_message = "An effect is NoSchedule, PreferNoSchedule or NoExecute; without one, all effects are tolerated."
  }
}

variable "node_affinity" {
  type = list(object({
    key      = string
    operator = string
    values   = optional(list(string), [])
    weight   = optional(number, 0)
  }))
  default     = []
  description = "Labels of nodes: with a weight from 1 to 100 they are preferred, without a weight required, e.g. [{\"key\": \"zone\", \"operator\": \"In\", \"values\": [\"a\", \"b\"]}]."

  validation {
    condition     = alltrue([for one in var.node_affinity : contains(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"], one.operator) && one.weight >= 0 && one.weight <= 100 && floor(one.weight) == one.weight])
    error_message = "An operator is In, NotIn, Exists, DoesNotExist, Gt or Lt, and a weight a whole number from 0 to 100."
  }
}

variable "labels" {
  type        = map(string)
  default     = {}
  description = "Additional labels for everything that the template creates."

  validation {
    condition     = alltrue([for key, value in var.labels : !startswith(key, "app.kubernetes.io/") && !startswith(key, "com.coder.") && can(regex("^([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$", key)) && can(regex("^$|^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$", value))])
    error_message = "Give valid Kubernetes labels; app.kubernetes.io/… and com.coder.… are the template's own."
  }
}

variable "annotations" {
  type        = map(string)
  default     = {}
  description = "Additional annotations of the pod, e.g. {\"cluster-autoscaler.kubernetes.io/safe-to-evict\": \"false\"}."

  validation {
    condition     = alltrue([for key in keys(var.annotations) : !startswith(key, "com.coder.") && can(regex("^([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$", key))])
    error_message = "Give valid Kubernetes annotations; com.coder.… are the template's own."
  }
}

variable "max_ephemeral_storage" {
  type        = number
  default     = 100
  description = "The most ephemeral storage that a user may choose, in GiB: what the workspace writes outside its volumes."

  validation {
    condition     = var.max_ephemeral_storage >= 1 && floor(var.max_ephemeral_storage) == var.max_ephemeral_storage
    error_message = "Give a whole number of GiB, at least 1."
  }
}

variable "coder_host" {
  type        = string
  default     = ""
  description = "Name or address at which pods reach Coder if its access URL is localhost, as on kind. Empty: such a URL is refused."

  validation {
    condition     = can(regex("^$|^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$", var.coder_host))
    error_message = "Give a host name or an address, without a scheme or port."
  }
}

variable "wait_for_rollout" {
  type        = bool
  default     = true
  description = "Whether a start waits until the home is ready, and fails after start_timeout. If you use coder-logstream-kube, set it to false: users then see the pod's events (image, scheduling, volumes) while it starts."
}

variable "start_timeout" {
  type        = string
  default     = "10m"
  description = "How long a start waits for the pod. Include the time to add a node and to pull the image."

  validation {
    condition     = can(regex("^[1-9][0-9]*[smh]$", var.start_timeout))
    error_message = "Give a time such as 10m."
  }
}

# What Coder says of this build -----------------------------------------------------------------------

data "coder_provisioner" "me" {}
data "coder_workspace" "me" {}
data "coder_workspace_owner" "me" {}

# The agent passes their tokens to git (GIT_ASKPASS). They are not stored in the template.
data "coder_external_auth" "git" {
  for_each = var.external_auth
  id       = each.key
  optional = each.value == "optional"
}

# What a user chooses ---------------------------------------------------------------------------------

# The options are those of images/stacks.toml; a test keeps them equal.
data "coder_parameter" "workspace_image" {
  name         = "workspace_image"
  display_name = "Image"
  description  = "What is installed in addition to Docker, Git and Node."
  icon         = "/icon/container.svg"
  type         = "string"
  form_type    = "radio"
  default      = "base"
  mutable      = true
  order        = 1

  option {
    name        = "Base"
    description = "Docker, Git, Node with nvm, Claude Code."
    value       = "base"
    icon        = "/icon/debian.svg"
  }
  option {
    name        = "Node"
    description = "The same as base, under a name that Node projects expect."
    value       = "node"
    icon        = "/icon/nodejs.svg"
  }
  option {
    name        = "C++"
    description = "LLVM, CMake and sccache on top of the base."
    value       = "cpp"
    icon        = "/icon/cpp.svg"
  }
}

data "coder_parameter" "repo_url" {
  name         = "repo_url"
  display_name = "Repository"
  description  = "Cloned into the projects directory if it is not there yet: a URL for `git clone`, or the URL of the page in your browser. Empty: none."
  icon         = "/icon/git.svg"
  type         = "string"
  form_type    = "input"
  default      = ""
  mutable      = true
  order        = 2
  styling      = jsonencode({ placeholder = "https://github.com/you/project.git" })

  # A component may begin with a dot, but is not . or .. . A query and a fragment, which browsers add, are dropped.
  validation {
    regex = "^$|^((https?|ssh|git)://([A-Za-z0-9][A-Za-z0-9._~%+:-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?|[A-Za-z0-9][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[A-Za-z0-9._~%+@-]*[A-Za-z0-9_~%+@-])(/[.]?[A-Za-z0-9_~%+@-][A-Za-z0-9._~%+@-]*)*/?([?#][A-Za-z0-9._~%+@:/?#=&-]*)?$"
    error = "Give a URL as git clone takes it, or as a browser shows the repository, e.g. https://github.com/you/project.git or git@github.com:you/project.git, of letters, digits and . _ ~ % + @ - / : only. Or nothing."
  }
}

data "coder_parameter" "directory" {
  name         = "directory"
  display_name = "Directory"
  description  = "The directory that editors, web-shell and Claude open: an absolute path. Empty: the cloned repository, or else the projects directory. Coder's own terminal and SSH start in your home."
  icon         = "/icon/folder.svg"
  type         = "string"
  form_type    = "input"
  default      = ""
  mutable      = true
  order        = 3
  styling      = jsonencode({ placeholder = "/home/coder/projects" })

  validation {
    regex = "^$|^(/[.]{0,2}[A-Za-z0-9_@+-][A-Za-z0-9_.@+-]*)+/?$"
    error = "Give an absolute path of letters, digits and . _ @ + - / without '..', e.g. /home/coder/projects/app. Or nothing."
  }
}

data "coder_parameter" "home_persist_paths" {
  name         = "home_persist_paths"
  display_name = "Kept paths"
  description  = "Paths below the home to keep on your volume, in addition to those that the image declares. A trailing / means a directory: `.config/gh/`, `.vimrc`."
  icon         = "/icon/database.svg"
  type         = "list(string)"
  form_type    = "tag-select"
  default      = jsonencode([])
  mutable      = true
  order        = 5
}

# Each option is a module below, except JetBrains', which asks for the IDEs.
data "coder_parameter" "editors" {
  name         = "editors"
  display_name = "Editors"
  description  = "The editors that get a button. All except code-server run on your own computer."
  icon         = "/icon/code.svg"
  type         = "list(string)"
  form_type    = "multi-select"
  default      = jsonencode(["code-server", "vscode", "jetbrains"])
  mutable      = true
  order        = 6

  option {
    name  = "code-server"
    value = "code-server"
    icon  = "/icon/code.svg"
  }
  option {
    name  = "VS Code"
    value = "vscode"
    icon  = "/icon/code.svg"
  }
  option {
    name  = "VS Code Insiders"
    value = "vscode-insiders"
    icon  = "/icon/code.svg"
  }
  option {
    name  = "Cursor"
    value = "cursor"
    icon  = "/icon/cursor.svg"
  }
  option {
    name  = "Windsurf"
    value = "windsurf"
    icon  = "/icon/windsurf.svg"
  }
  option {
    name  = "Zed"
    value = "zed"
    icon  = "/icon/zed.svg"
  }
  option {
    name  = "JetBrains IDEs"
    value = "jetbrains"
    icon  = "/icon/jetbrains-toolbox.svg"
  }
}

data "coder_parameter" "jetbrains_allow_updates" {
  name         = "jetbrains_allow_updates"
  display_name = "JetBrains updates"
  description  = "Whether Toolbox may update the IDE backends. They are shared by all your workspaces."
  icon         = "/icon/jetbrains-toolbox.svg"
  type         = "bool"
  form_type    = "switch"
  default      = false
  mutable      = true
  order        = 8
}

data "coder_parameter" "memory" {
  name         = "memory"
  display_name = "Memory"
  description  = "Limit in GiB; 0: none."
  icon         = "/icon/memory.svg"
  type         = "number"
  form_type    = "slider"
  default      = 0
  mutable      = true
  order        = 9

  validation {
    min   = 0
    max   = var.max_memory
    error = "Give a number of GiB from {min} to {max}; 0 means no limit."
  }
}

data "coder_parameter" "cpus" {
  name         = "cpus"
  display_name = "CPUs"
  description  = "Limit in cores; 0: none."
  icon         = "/icon/memory.svg"
  type         = "number"
  form_type    = "slider"
  default      = 0
  mutable      = true
  order        = 10

  validation {
    min   = 0
    max   = var.max_cpus
    error = "Give a number of cores from {min} to {max}; 0 means no limit."
  }
}

data "coder_parameter" "ephemeral_storage" {
  name         = "ephemeral_storage"
  display_name = "Ephemeral storage"
  description  = "Limit in GiB for what is written outside the volumes; a pod that exceeds it is evicted. 0: none."
  icon         = "/icon/memory.svg"
  type         = "number"
  form_type    = "slider"
  default      = 0
  mutable      = true
  order        = 21

  validation {
    min   = 0
    max   = var.max_ephemeral_storage
    error = "Give a number of GiB from {min} to {max}; 0 means no limit."
  }
}

data "coder_parameter" "memory_request" {
  name         = "memory_request"
  display_name = "Memory reserved"
  description  = "What the node reserves for this workspace, in GiB. 0: as much as the limit, if there is one."
  icon         = "/icon/memory.svg"
  type         = "number"
  form_type    = "slider"
  default      = 0
  mutable      = true
  order        = 22

  validation {
    min   = 0
    max   = var.max_memory
    error = "Give a number of GiB from {min} to {max}; 0 leaves it to the limit."
  }
}

data "coder_parameter" "cpu_request" {
  name         = "cpu_request"
  display_name = "CPU reserved"
  description  = "What the node reserves for this workspace, in thousandths of a core. 0: as much as the limit, if there is one."
  icon         = "/icon/memory.svg"
  type         = "number"
  form_type    = "slider"
  default      = 0
  mutable      = true
  order        = 23

  validation {
    min   = 0
    max   = var.max_cpus * 1000
    error = "Give thousandths of a core from {min} to {max}; 0 leaves it to the limit."
  }
}

data "coder_parameter" "ephemeral_storage_request" {
  name         = "ephemeral_storage_request"
  display_name = "Ephemeral storage reserved"
  description  = "What the node reserves for this workspace, in GiB. 0: as much as the limit, if there is one."
  icon         = "/icon/memory.svg"
  type         = "number"
  form_type    = "slider"
  default      = 0
  mutable      = true
  order        = 24

  validation {
    min   = 0
    max   = var.max_ephemeral_storage
    error = "Give a number of GiB from {min} to {max}; 0 leaves it to the limit."
  }
}

# The module has the same names. It would ask for these two itself, and accept any text for the branch.
data "coder_parameter" "dotfiles_uri" {
  name         = "dotfiles_uri"
  display_name = "Dotfiles"
  description  = "A [dotfiles repository](https://dotfiles.github.io) that `coder dotfiles` applies at every start. Empty: none."
  icon         = "/icon/dotfiles.svg"
  type         = "string"
  form_type    = "input"
  default      = ""
  mutable      = true
  order        = 11

  validation {
    regex = "^$|^(https?://|ssh://|git@|git://)[a-zA-Z0-9._/:@~-]+$"
    error = "Give a URL as git clone takes it, e.g. https://github.com/you/dotfiles.git, of letters, digits and . _ ~ @ - / : only. Or nothing."
  }
}

data "coder_parameter" "dotfiles_branch" {
  name         = "dotfiles_branch"
  display_name = "Dotfiles branch"
  description  = "Empty: the repository's default branch."
  icon         = "/icon/dotfiles.svg"
  type         = "string"
  form_type    = "input"
  default      = ""
  mutable      = true
  order        = 12

  validation {
    regex = "^$|^[A-Za-z0-9_][A-Za-z0-9._/+-]*$"
    error = "Give the name of a branch, of letters, digits and . _ / + - only. Or nothing."
  }
}

data "coder_parameter" "commit_signing" {
  name         = "commit_signing"
  display_name = "Sign commits"
  description  = "Sign commits with the SSH key that Coder has for you. Register its public key as a *signing key* at your Git host: `coder publickey` prints it."
  icon         = "/icon/git.svg"
  type         = "bool"
  form_type    = "switch"
  default      = false
  mutable      = true
  order        = 13
}

data "coder_parameter" "time_zone" {
  name         = "time_zone"
  display_name = "Time zone"
  description  = "The time zone of every shell and unit, e.g. Europe/Berlin. Empty: UTC."
  icon         = "/icon/widgets.svg"
  type         = "string"
  form_type    = "input"
  default      = var.time_zone
  mutable      = true
  order        = 14

  validation {
    regex = "^([A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*)?$"
    error = "Give a name of the time zone database, e.g. Europe/Berlin. Or nothing."
  }
}

data "coder_workspace_preset" "base" {
  name        = "Anything with Docker"
  description = "The base image, without limits."
  icon        = "/icon/debian.svg"
  default     = true
  parameters  = { workspace_image = "base", memory = "0", cpus = "0" }
}

data "coder_workspace_preset" "node" {
  name        = "Node"
  description = "The Node image, 8 GiB."
  icon        = "/icon/nodejs.svg"
  parameters  = { workspace_image = "node", memory = tostring(min(8, var.max_memory)), cpus = "0" }
}

data "coder_workspace_preset" "cpp" {
  name        = "C++"
  description = "The C++ image, 16 GiB."
  icon        = "/icon/cpp.svg"
  parameters  = { workspace_image = "cpp", memory = tostring(min(16, var.max_memory)), cpus = "0" }
}

# What follows from it --------------------------------------------------------------------------------

locals {
  home     = "/home/coder"
  projects = "${local.home}/projects"

  # The repository's address, from what a user pasted: it may be the page of a branch or of a pull request.
  # The module would name the clone of you.github.io "youhub.io", and that of a pull request "1".
  repo_page   = replace(replace(data.coder_parameter.repo_url.value, "/[?#].*/", ""), "/^https?://(?:www[.])?(github[.]com|gitlab[.]com|bitbucket[.]org|codeberg[.]org)//", "https://$1/")
  repo_forge  = replace(local.repo_page, "/^(https://(?:github[.]com|bitbucket[.]org|codeberg[.]org)/[^/]+/[^/]+)/.*/", "$1")
  repo_gitlab = replace(local.repo_forge, "/^(https?://.+?)/-/.*/", "$1")
  repo_url    = replace(local.repo_gitlab, "/^(https?://.+?)/(?:(?:pulls?|issues|pull-requests|merge_requests)/[0-9]+|commit/[0-9a-f]{7,40})(?:/.*)?$/", "$1")
  repo_branch = trimsuffix(try(compact(regex("^https://github[.]com/[^/]+/[^/]+/tree/(.+)|^https://codeberg[.]org/[^/]+/[^/]+/src/branch/(.+)|^https?://.+?/-/tree/(.+)", local.repo_page))[0], ""), "/")
  repo_name   = try(regex("([^/:]+?)(?:[.]git)?/?$", local.repo_url)[0], "")

  # The directory of the user's choice, else the clone, else the projects directory.
  directory = coalesce(data.coder_parameter.directory.value, try(module.git-clone[0].repo_dir, ""), local.projects)

  editors = try([for editor in jsondecode(data.coder_parameter.editors.value) : editor], [])

  # For an owner without a name or an email address, the provider returns "default" and default@example.com. The login
  # is used as the name. No address is invented, because commits keep it: Git takes the one from the user's
  # configuration, or asks for it. Git refuses a name without a letter or a digit.
  full_name = trimspace(data.coder_workspace_owner.me.full_name)
  git_name  = local.full_name != "default" && can(regex("\\pL|\\pN", local.full_name)) ? local.full_name : data.coder_workspace_owner.me.name
  git_email = data.coder_workspace_owner.me.email == "default@example.com" ? "" : data.coder_workspace_owner.me.email

  # The rules of home-persist that need only the text; coder_ws_runtime/persist/manifest/ has all rules. A name has
  # at most 236 bytes there: 315 characters in base64. A list may be null, and contain null.
  path_prefix = "/^(~|[$]HOME|[$][{]HOME[}]|${local.home})//"
  paths       = try([for path in jsondecode(data.coder_parameter.home_persist_paths.value) : path], [null])
  bad_paths = [
    for path in local.paths : path
    if path == null || can(regex("[[:cntrl:]]|(^|/)[.][.](/|$)|(^|/) +(/|$)|^([.]?/)*[.]?$|^([.]?/)*[.](home-persist|workspaces|jetbrains-dist)(/|$)|[.]home-persist(-copy|-swap)?(/|$)|^[/~]|^([$]HOME|[$][{]HOME[}])$",
    replace(coalesce(path, " "), local.path_prefix, "")))
    || anytrue([for name in split("/", coalesce(path, " ")) : length(trim(base64encode(name), "=")) > 315])
  ]
  # Each is either a file or a directory, and nothing is below a file.
  kept_paths = [
    for path in local.paths : {
      text      = path
      place     = join("/", [for name in split("/", replace(path, local.path_prefix, "")) : name if !contains(["", "."], name)])
      directory = endswith(path, "/")
    } if path == null ? false : !contains(local.bad_paths, path)
  ]
  unclear_paths = [
    for path in local.kept_paths : path.text
    if anytrue([for file in local.kept_paths : !file.directory && (path.place == file.place ? path.directory : startswith(path.place, "${file.place}/"))])
  ]

  # Coder on this host calls itself localhost, which means the container itself inside a container. All of these mean
  # "this host": *.localhost (RFC 6761), 127.0.0.0/8, the unspecified address and IPv6's.
  loopback    = "/(?i)(://)((?:[a-z0-9_-]+[.])*localhost(?:[.]localdomain)?[.]?|0|0[.]0[.]0[.]0|127(?:[.][0-9]{1,3}){1,3}|\\[[0:]*:[0]*1?\\]|\\[[0:]*:ffff:127[.][0-9.]+\\])([:/\"'?#[:space:]]|$)/"
  on_host     = "$${1}${var.coder_host}$${3}"
  access_url  = var.coder_host == "" ? data.coder_workspace.me.access_url : replace(data.coder_workspace.me.access_url, local.loopback, local.on_host)
  init_script = var.coder_host == "" ? coder_agent.main.init_script : replace(coder_agent.main.init_script, local.loopback, local.on_host)

  # How Claude Code authenticates; without any of it, users log in.
  claude_key   = nonsensitive(var.anthropic_api_key != "")
  claude_token = nonsensitive(var.claude_code_oauth_token != "")
  claude_setup = local.claude_key || local.claude_token || var.anthropic_base_url != "" || var.enable_ai_gateway || var.use_bedrock || var.use_vertex || var.claude_model != ""

  # For the container and the agent. The image passes these on to units and to programs that sudo runs.
  environment = merge(
    { CODER_WORKSPACE_ID = data.coder_workspace.me.id },
    var.language == "" ? {} : { LANG = var.language },
    data.coder_parameter.time_zone.value == "" ? {} : { TZ = data.coder_parameter.time_zone.value },
  )

  # The model of this document is coder_ws_runtime/settings.py.
  settings = {
    version = 1
    workspace = {
      id         = data.coder_workspace.me.id
      name       = data.coder_workspace.me.name
      owner      = data.coder_workspace_owner.me.name
      access_url = local.access_url
    }
    engine             = var.engine
    docker             = { mtu = var.docker_mtu, address_pools = var.docker_address_pools }
    home_persist_paths = local.paths
    projects           = local.projects
    jetbrains          = { allow_updates = tobool(data.coder_parameter.jetbrains_allow_updates.value) }
    web_shell          = { directory = local.directory, title = data.coder_workspace.me.name }
  }

  # Errors that stop a start with any engine. Each is one line: where, what is wrong, and what to write.
  refusals = compact([
    length(local.bad_paths) == 0 ? "" : "home_persist_paths: ${join(", ", [for path in local.bad_paths : jsonencode(path)])} cannot be kept. Write paths below the home, without '..', e.g. .config/gh/ or .vimrc, with names of at most 236 bytes.",
    length(local.unclear_paths) == 0 ? "" : "home_persist_paths: ${join(", ", [for path in local.unclear_paths : jsonencode(path)])} is both a directory and a file. Write it once: with a / at the end for a directory, without it for a file.",
    contains(["amd64", "arm64"], local.arch) ? "" : "The images are built for amd64 and arm64, but this provisioner is ${local.arch}. Push with --variable arch=amd64 or arch=arm64, whichever the engine's host is.",
    local.claude_key && local.claude_token ? "Give anthropic_api_key or claude_code_oauth_token, not both." : "",
    var.enable_ai_gateway && (local.claude_key || local.claude_token || var.anthropic_base_url != "") ? "enable_ai_gateway logs Claude Code in by itself: leave out anthropic_api_key, claude_code_oauth_token and anthropic_base_url." : "",
    length([for on in [var.enable_ai_gateway, var.use_bedrock, var.use_vertex] : on if on]) > 1 ? "Claude Code uses one provider: choose one of enable_ai_gateway, use_bedrock and use_vertex." : "",
  ])
}

# The agent -------------------------------------------------------------------------------------------

locals {
  arch = coalesce(var.arch, data.coder_provisioner.me.arch)
}

resource "coder_agent" "main" {
  os   = "linux"
  arch = local.arch

  # Keys and passwords stay with Coder: git asks `coder gitssh`, and nothing secret is written to disk.
  env = merge(
    local.environment,
    { GIT_AUTHOR_NAME = local.git_name, GIT_COMMITTER_NAME = local.git_name },
    local.git_email == "" ? {} : { GIT_AUTHOR_EMAIL = local.git_email, GIT_COMMITTER_EMAIL = local.git_email },
  )

  display_apps {
    vscode                 = false # the modules below open the right directory
    vscode_insiders        = false
    web_terminal           = true
    ssh_helper             = true
    port_forwarding_helper = true
  }

  metadata {
    key          = "doctor"
    display_name = "Doctor"
    script       = "ws-doctor --metadata"
    interval     = 60
    timeout      = 20
    order        = 1
  }
  metadata {
    key          = "cpu"
    display_name = "CPU"
    script       = "coder stat cpu"
    interval     = 15
    timeout      = 5
    order        = 2
  }
  metadata {
    key          = "memory"
    display_name = "Memory"
    script       = "coder stat mem"
    interval     = 15
    timeout      = 5
    order        = 3
  }
  metadata {
    key          = "home"
    display_name = "Home volume"
    script       = "coder stat disk --path /mnt/home-persist"
    interval     = 300
    timeout      = 5
    order        = 4
  }
  metadata {
    key          = "host"
    display_name = "Load of the host"
    script       = "cut -d ' ' -f 1-3 /proc/loadavg"
    interval     = 60
    timeout      = 5
    order        = 5
  }
  metadata {
    key          = "host_cpu"
    display_name = "CPU of the host"
    script       = "coder stat cpu --host"
    interval     = 60
    timeout      = 5
    order        = 6
  }
  metadata {
    key          = "host_memory"
    display_name = "Memory of the host"
    script       = "coder stat mem --host"
    interval     = 60
    timeout      = 5
    order        = 7
  }
  metadata {
    key          = "host_swap"
    display_name = "Swap of the host"
    script       = "awk '/^Swap(Total|Free):/ {kib[$1] = $2} END {printf \"%.1f/%.1f GiB\\n\", (kib[\"SwapTotal:\"] - kib[\"SwapFree:\"]) / 1048576, kib[\"SwapTotal:\"] / 1048576}' /proc/meminfo"
    interval     = 60
    timeout      = 5
    order        = 8
  }
  metadata {
    key          = "host_disk"
    display_name = "Disk of the host" # what the container's own file system is on
    script       = "coder stat disk --path /"
    interval     = 300
    timeout      = 5
    order        = 9
  }

  resources_monitoring {
    dynamic "memory" {
      for_each = var.memory_threshold > 0 ? [var.memory_threshold] : []
      content {
        enabled   = true
        threshold = memory.value
      }
    }
    dynamic "volume" {
      for_each = var.volume_threshold > 0 ? ["/mnt/home-persist", local.projects] : []
      content {
        enabled   = true
        path      = volume.value
        threshold = var.volume_threshold
      }
    }
  }
}

# One script, because the order matters. systemd runs the same commands at boot; here users see
# their output. One that fails does not stop the next.
resource "coder_script" "start" {
  agent_id           = coder_agent.main.id
  display_name       = "Workspace"
  icon               = "/icon/coder.svg"
  run_on_start       = true
  start_blocks_login = true
  timeout            = 900
  script             = <<-EOT
    #!/bin/sh
    status=0
    home-persist resolve || status=$?
    ws-boot docker-group || status=$?
    ws-boot jetbrains || status=$?
    ws-boot hooks --once || status=$?

    known_hosts='${base64encode(var.known_hosts)}'
    if [ -n "$known_hosts" ]; then
      echo "$known_hosts" | base64 -d | sudo tee /etc/ssh/ssh_known_hosts > /dev/null || status=$?
    fi
    # Git reads this file if no other is configured. A user's own file stays.
    gitignore='${base64encode(join("\n", concat(var.gitignore, [""])))}'
    if [ -n "$gitignore" ] && ! [ -e ~/.config/git/ignore ]; then
      mkdir -p ~/.config/git && echo "$gitignore" | base64 -d > ~/.config/git/ignore || status=$?
    fi
    exit "$status"
  EOT
}

# Not Coder's module of that name: it writes the key to the home and its settings to ~/.gitconfig, which the
# owner's other workspaces may share (docs/decisions/commit-signing.md). The key is kept in memory.
resource "coder_script" "git-commit-signing" {
  count        = data.coder_parameter.commit_signing.value == "true" ? data.coder_workspace.me.start_count : 0
  agent_id     = coder_agent.main.id
  display_name = "Git commit signing"
  icon         = "/icon/git.svg"
  run_on_start = true
  timeout      = 120
  script       = <<-EOT
    #!/bin/sh
    set -eu
    umask 077
    keys=/run/git-commit-signing
    sudo install -d -m 0700 -o "$(id -u)" -g "$(id -g)" "$keys"
    answer=$(printf 'Coder-Session-Token: %s\n' "$CODER_AGENT_TOKEN" |
      curl -fsS --retry 5 --retry-connrefused -H @- "$${CODER_AGENT_URL%/}/api/v2/workspaceagents/me/gitsshkey")
    part() {
      printf %s "$answer" | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]].strip())' "$1"
    }
    part private_key > "$keys/key"
    part public_key > "$keys/key.pub"
    printf '%s %s\n' "$${GIT_COMMITTER_EMAIL:-*}" "$(cat "$keys/key.pub")" > "$keys/allowed_signers"
    # Everyone can read that file.
    umask 022
    set_up() { sudo git config --system "$1" "$2"; }
    set_up gpg.format ssh
    set_up user.signingKey "$keys/key"
    set_up gpg.ssh.allowedSignersFile "$keys/allowed_signers"
    set_up commit.gpgSign true
    set_up tag.gpgSign true
    echo "Commits and tags are signed with $(ssh-keygen -l -f "$keys/key.pub")"
  EOT
}

# Projects and dotfiles -------------------------------------------------------------------------------

module "git-clone" {
  source      = "registry.coder.com/coder/git-clone/coder"
  version     = "~> 2.0"
  count       = data.coder_workspace.me.start_count
  agent_id    = coder_agent.main.id
  url         = local.repo_url
  branch_name = local.repo_branch
  base_dir    = local.projects
  folder_name = local.repo_name
  depends_on  = [data.coder_external_auth.git]
}

module "dotfiles" {
  source       = "registry.coder.com/coder/dotfiles/coder"
  version      = "~> 1.4.2"
  count        = data.coder_parameter.dotfiles_uri.value == "" ? 0 : data.coder_workspace.me.start_count
  agent_id     = coder_agent.main.id
  dotfiles_uri = data.coder_parameter.dotfiles_uri.value

  # The module does not accept an empty branch, and would ask for one if it were null. Its script has the text
  # between quotation marks: two more of them make an empty string.
  dotfiles_branch = coalesce(data.coder_parameter.dotfiles_branch.value, "\"\"")
}

# Editors ---------------------------------------------------------------------------------------------

module "code-server" {
  source   = "registry.coder.com/coder/code-server/coder"
  version  = "~> 1.5"
  count    = contains(local.editors, "code-server") ? data.coder_workspace.me.start_count : 0
  agent_id = coder_agent.main.id
  folder   = local.directory
  order    = 1
}

module "vscode-desktop" {
  source   = "registry.coder.com/coder/vscode-desktop/coder"
  version  = "~> 1.2"
  count    = contains(local.editors, "vscode") ? data.coder_workspace.me.start_count : 0
  agent_id = coder_agent.main.id
  folder   = local.directory
  order    = 2
}

# The module on which vscode-desktop, cursor and windsurf are based; this editor has no module of its own.
module "vscode-insiders" {
  source                 = "registry.coder.com/coder/vscode-desktop-core/coder"
  version                = "~> 1.0.2"
  count                  = contains(local.editors, "vscode-insiders") ? data.coder_workspace.me.start_count : 0
  agent_id               = coder_agent.main.id
  folder                 = local.directory
  protocol               = "vscode-insiders"
  coder_app_slug         = "vscode-insiders"
  coder_app_display_name = "VS Code Insiders"
  coder_app_icon         = "/icon/code.svg"
  coder_app_order        = 3
}

module "cursor" {
  source   = "registry.coder.com/coder/cursor/coder"
  version  = "~> 1.4"
  count    = contains(local.editors, "cursor") ? data.coder_workspace.me.start_count : 0
  agent_id = coder_agent.main.id
  folder   = local.directory
  order    = 4
}

module "windsurf" {
  source   = "registry.coder.com/coder/windsurf/coder"
  version  = "~> 1.3"
  count    = contains(local.editors, "windsurf") ? data.coder_workspace.me.start_count : 0
  agent_id = coder_agent.main.id
  folder   = local.directory
  order    = 5
}

module "zed" {
  source   = "registry.coder.com/coder/zed/coder"
  version  = "~> 1.1"
  count    = contains(local.editors, "zed") ? data.coder_workspace.me.start_count : 0
  agent_id = coder_agent.main.id
  folder   = local.directory
  order    = 6
}

locals {
  # Newer ones: https://data.services.jetbrains.com/products/releases?code=IU&type=release&latest=true
  own_jetbrains_builds = {
    CL = "261.26222.59"
    GO = "261.26222.72"
    IU = "261.22158.277"
    PS = "261.26222.71"
    PY = "261.22158.340"
    RD = "262.8665.328"
    RM = "261.26222.67"
    RR = "261.24374.182"
    WS = "253.29346.242"
  }
}

# With ide_config, it does not contact JetBrains; without it, a start would need their answer, and Terraform 1.12.
module "jetbrains" {
  source                = "registry.coder.com/coder/jetbrains/coder"
  version               = "~> 1.4"
  count                 = contains(local.editors, "jetbrains") ? data.coder_workspace.me.start_count : 0
  agent_id              = coder_agent.main.id
  folder                = local.directory
  options               = keys(var.jetbrains_builds)
  ide_config            = { for code, build in var.jetbrains_builds : code => { build = build != "" ? build : lookup(local.own_jetbrains_builds, code, "") } }
  coder_app_order       = 7
  coder_parameter_order = 7
}

# Terminals and Claude --------------------------------------------------------------------------------

# It opens in the home if the directory is missing, because a clone failed.
resource "coder_app" "claude" {
  count        = var.claude_app ? data.coder_workspace.me.start_count : 0
  agent_id     = coder_agent.main.id
  slug         = "claude"
  display_name = "Claude Code"
  icon         = "/icon/claude.svg"
  command      = "cd '${local.directory}' || cd; exec claude"
  order        = 8
}

# Only the login: Claude Code itself is in the image. The module refuses a key in addition to the gateway, and
# Terraform below 1.15 would print it: local.refusals has the check instead.
module "claude-code" {
  source                  = "registry.coder.com/coder/claude-code/coder"
  version                 = "~> 5.4"
  count                   = local.claude_setup ? data.coder_workspace.me.start_count : 0
  agent_id                = coder_agent.main.id
  install_claude_code     = false
  claude_binary_path      = "/usr/local/bin"
  disable_autoupdater     = true
  workdir                 = local.directory
  model                   = var.claude_model
  anthropic_api_key       = var.enable_ai_gateway ? "" : var.anthropic_api_key
  claude_code_oauth_token = var.enable_ai_gateway ? "" : var.claude_code_oauth_token
  anthropic_base_url      = var.enable_ai_gateway ? "" : var.anthropic_base_url
  enable_ai_gateway       = var.enable_ai_gateway
  use_bedrock             = var.use_bedrock && !var.enable_ai_gateway
  use_vertex              = var.use_vertex && !var.use_bedrock && !var.enable_ai_gateway
}

# Its pages use absolute paths, so it needs a host name of its own (a wildcard access URL).
resource "coder_app" "web-shell" {
  count        = data.coder_workspace.me.start_count
  agent_id     = coder_agent.main.id
  slug         = "web-shell"
  display_name = "web-shell"
  icon         = "/icon/terminal.svg"
  url          = "http://localhost:4000"
  subdomain    = true
  share        = "owner"
  order        = 9

  healthcheck {
    url       = "http://localhost:4000/api/sessions"
    interval  = 5
    threshold = 6
  }
}

# Engine: Kubernetes ------------------------------------------------------------------------------

locals {
  tag    = "${data.coder_parameter.workspace_image.value}${var.engine == "own" ? "-engine" : ""}"
  digest = lookup(var.image_digests, local.tag, "")
  image  = "${var.image_repository}:${local.tag}${local.digest != "" ? "@${local.digest}" : ""}"
  pull   = coalesce(var.image_pull_policy, local.digest != "" ? "IfNotPresent" : "Always")

  # By ID: a workspace can be renamed, and this name identifies its claims. It is also a label: 63 characters at most.
  name     = "coder-${data.coder_workspace.me.id}"
  hostname = lower(data.coder_workspace.me.name)

  home_claim = replace(replace(var.home_claim, "{owner_id}", data.coder_workspace_owner.me.id), "{owner}", lower(data.coder_workspace_owner.me.name))
  home_path  = replace(replace(var.home_path, "{owner_id}", data.coder_workspace_owner.me.id), "{owner}", data.coder_workspace_owner.me.name)

  # Claims get only labels that never change, because they are kept longer than this file.
  identity = {
    "app.kubernetes.io/name"     = "coder-workspace"
    "app.kubernetes.io/instance" = local.name
    "com.coder.resource"         = "true"
    "com.coder.workspace.id"     = data.coder_workspace.me.id
    "com.coder.user.id"          = data.coder_workspace_owner.me.id
  }
  labels = merge(var.labels, local.identity, {
    "app.kubernetes.io/part-of" = "coder"
    "com.coder.workspace.name"  = data.coder_workspace.me.name
    "com.coder.user.username"   = data.coder_workspace_owner.me.name
  })

  # Each workspace's own volumes: the controller of the StatefulSet creates and keeps them.
  claims = merge(
    { projects = { path = local.projects, class = var.projects_storage_class, size = var.projects_size } },
    var.engine == "own" ? { docker = { path = "/var/lib/docker", class = var.docker_storage_class, size = var.docker_size } } : {},
  )
  shared = var.shared_claim == "" ? {} : { "/mnt/shared" = { volume = "shared", claim = var.shared_claim, path = var.shared_path } }
  network = merge(
    { "/mnt/home-persist" = { volume = "home", claim = local.home_claim, path = local.home_path } },
    local.shared,
  )

  limits = {
    for name, value in {
      "cpu"               = data.coder_parameter.cpus.value > 0 ? data.coder_parameter.cpus.value : null
      "memory"            = data.coder_parameter.memory.value > 0 ? "${data.coder_parameter.memory.value}Gi" : null
      "ephemeral-storage" = data.coder_parameter.ephemeral_storage.value > 0 ? "${data.coder_parameter.ephemeral_storage.value}Gi" : null
    } : name => value if value != null
  }
  requests = {
    for name, value in {
      "cpu"               = data.coder_parameter.cpu_request.value > 0 ? "${data.coder_parameter.cpu_request.value}m" : null
      "memory"            = data.coder_parameter.memory_request.value > 0 ? "${data.coder_parameter.memory_request.value}Gi" : null
      "ephemeral-storage" = data.coder_parameter.ephemeral_storage_request.value > 0 ? "${data.coder_parameter.ephemeral_storage_request.value}Gi" : null
    } : name => value if value != null
  }
  # Kubernetes refuses these only after it has deleted the old pod.
  over_limit = [
    for name, pair in {
      cpu_request               = [data.coder_parameter.cpu_request.value, data.coder_parameter.cpus.value * 1000]
      memory_request            = [data.coder_parameter.memory_request.value, data.coder_parameter.memory.value]
      ephemeral_storage_request = [data.coder_parameter.ephemeral_storage_request.value, data.coder_parameter.ephemeral_storage.value]
    } : name if pair[1] > 0 && pair[0] > pair[1]
  ]

  engine_refusals = compact([
    length(local.over_limit) == 0 ? "" : "${join(", ", local.over_limit)}: more is reserved than the limit allows. Choose a higher limit or reserve less; 0 means no limit.",
    var.coder_host != "" || replace(data.coder_workspace.me.access_url, local.loopback, "") == data.coder_workspace.me.access_url ? "" : "Coder's access URL is ${data.coder_workspace.me.access_url}, which in a pod is the pod itself. Set CODER_ACCESS_URL on Coder's server, or the variable coder_host to a name that pods reach.",
  ])

  files = {
    "workspace.json" = jsonencode(local.settings)
    "agent-init.sh"  = local.init_script
    "hostname"       = "${local.hostname}\n"
  }
}

provider "kubernetes" {
  config_path    = var.kubeconfig != "" ? var.kubeconfig : null
  config_context = var.kube_context != "" ? var.kube_context : null
}

# In a Secret, so that the agent's token and script are not in an object that more people may read.
resource "kubernetes_secret_v1" "workspace" {
  count = data.coder_workspace.me.start_count

  metadata {
    name      = local.name
    namespace = var.namespace
    labels    = local.labels
  }

  data = merge(local.files, { token = coder_agent.main.token })
}

# A set of one pod, or none while the workspace is stopped: its controller never runs two pods with one name, so the
# volumes of the workspace are never mounted twice, not even while a node is unreachable.
resource "kubernetes_stateful_set_v1" "workspace" {
  wait_for_rollout = var.wait_for_rollout

  metadata {
    name      = local.name
    namespace = var.namespace
    labels    = local.labels
  }

  spec {
    replicas     = tostring(data.coder_workspace.me.start_count)
    service_name = local.name # names the pod in DNS, if there is such a service; none is needed

    # Otherwise you would have to delete a pod that never became ready by hand, before a corrected one starts.
    pod_management_policy = "Parallel"

    selector {
      match_labels = { "app.kubernetes.io/instance" = local.name }
    }

    # Claims are not deleted, neither on a stop nor with the workspace.
    persistent_volume_claim_retention_policy {
      when_deleted = "Retain"
      when_scaled  = "Retain"
    }

    dynamic "volume_claim_template" {
      for_each = local.claims
      content {
        metadata {
          name   = volume_claim_template.key
          labels = local.identity
        }
        spec {
          access_modes       = ["ReadWriteOnce"]
          storage_class_name = volume_claim_template.value.class != "" ? volume_claim_template.value.class : null
          resources {
            requests = { storage = volume_claim_template.value.size }
          }
        }
      }
    }

    template {
      metadata {
        labels = local.labels
        # A new token, script or setting means a new pod.
        annotations = merge(var.annotations, {
          "com.coder.files" = sha256(jsonencode([local.files, nonsensitive(coder_agent.main.token)]))
        })
      }

      spec {
        automount_service_account_token  = false
        enable_service_links             = false
        service_account_name             = var.service_account != "" ? var.service_account : null
        priority_class_name              = var.priority_class != "" ? var.priority_class : null
        runtime_class_name               = var.runtime_class != "" ? var.runtime_class : null
        node_selector                    = merge(var.node_selector, { "kubernetes.io/arch" = coder_agent.main.arch })
        termination_grace_period_seconds = 40 # the image stops within 30

        # The pod's own name is longer; systemd sets the workspace's name from /etc/hostname.
        host_aliases {
          ip        = "127.0.1.1"
          hostnames = [local.hostname]
        }

        dynamic "image_pull_secrets" {
          for_each = var.image_pull_secrets
          content {
            name = image_pull_secrets.value
          }
        }

        dynamic "toleration" {
          for_each = var.tolerations
          content {
            key      = toleration.value.key
            operator = toleration.value.operator
            value    = toleration.value.value
            effect   = toleration.value.effect
          }
        }

        dynamic "affinity" {
          for_each = length(var.node_affinity) > 0 ? [var.node_affinity] : []
          content {
            node_affinity {
              dynamic "required_during_scheduling_ignored_during_execution" {
                for_each = anytrue([for one in affinity.value : one.weight == 0]) ? [affinity.value] : []
                content {
                  node_selector_term {
                    dynamic "match_expressions" {
                      for_each = [for one in affinity.value : one if one.weight == 0]
                      content {
                        key      = match_expressions.value.key
                        operator = match_expressions.value.operator
                        values   = match_expressions.value.values
                      }
                    }
                  }
                }
              }
              dynamic "preferred_during_scheduling_ignored_during_execution" {
                for_each = [for one in affinity.value : one if one.weight > 0]
                content {
                  weight = preferred_during_scheduling_ignored_during_execution.value.weight
                  preference {
                    match_expressions {
                      key      = preferred_during_scheduling_ignored_during_execution.value.key
                      operator = preferred_during_scheduling_ignored_during_execution.value.operator
                      values   = preferred_during_scheduling_ignored_during_execution.value.values
                    }
                  }
                }
              }
            }
          }
        }

        # A new volume belongs to root, and fsGroup is not applied to NFS. What already belongs to the user is left alone:
        # a server that maps root to nobody would refuse a change.
        init_container {
          name              = "volumes"
          image             = local.image
          image_pull_policy = local.pull
          command = concat(
            ["find", local.projects], keys(local.network),
            ["-maxdepth", "0", "!", "-user", "coder", "-exec", "chown", "coder:coder", "{}", "+"],
          )

          security_context {
            run_as_user = "0"
          }

          volume_mount {
            name       = "projects"
            mount_path = local.projects
          }
          dynamic "volume_mount" {
            for_each = local.network
            content {
              name       = volume_mount.value.volume
              mount_path = volume_mount.key
              sub_path   = volume_mount.value.path
            }
          }
        }

        container {
          name              = "workspace"
          image             = local.image
          image_pull_policy = local.pull

          security_context {
            privileged                 = var.privileged
            allow_privilege_escalation = true # sudo
            run_as_user                = "0"  # systemd

            dynamic "capabilities" {
              for_each = !var.privileged && length(var.capabilities) > 0 ? [var.capabilities] : []
              content {
                add = capabilities.value
              }
            }
          }

          resources {
            limits   = local.limits
            requests = local.requests
          }

          env {
            name = "CODER_AGENT_TOKEN"
            value_from {
              secret_key_ref {
                name = local.name
                key  = "token"
              }
            }
          }
          env {
            name  = "CODER_AGENT_URL"
            value = local.access_url
          }
          env {
            name  = "CODER_WORKSPACE_NAME"
            value = data.coder_workspace.me.name
          }
          dynamic "env" {
            for_each = local.environment
            content {
              name  = env.key
              value = env.value
            }
          }

          # The start is complete when the home is ready. Seeding a large home may take long: the limit of a
          # day is there because Kubernetes requires one.
          startup_probe {
            period_seconds    = 2
            timeout_seconds   = 10
            failure_threshold = 43200
            exec {
              command = ["systemctl", "is-active", "--quiet", "home-persist-resolve"]
            }
          }

          # Nothing is mounted at /run: systemd mounts its own tmpfs.
          dynamic "volume_mount" {
            for_each = local.claims
            content {
              name       = volume_mount.key
              mount_path = volume_mount.value.path
            }
          }
          dynamic "volume_mount" {
            for_each = local.network
            content {
              name       = volume_mount.value.volume
              mount_path = volume_mount.key
              sub_path   = volume_mount.value.path
            }
          }
          dynamic "volume_mount" {
            for_each = { "workspace.json" = "/etc/coder/workspace.json", "agent-init.sh" = "/etc/coder/agent-init.sh", "hostname" = "/etc/hostname" }
            content {
              name       = "files"
              mount_path = volume_mount.value
              sub_path   = volume_mount.key
              read_only  = true
            }
          }
        }

        dynamic "volume" {
          for_each = local.network
          content {
            name = volume.value.volume
            persistent_volume_claim {
              claim_name = volume.value.claim
            }
          }
        }
        volume {
          name = "files"
          secret {
            secret_name  = local.name
            default_mode = "0644"
            dynamic "items" {
              for_each = { for name in keys(local.files) : name => name == "agent-init.sh" ? "0755" : "0644" }
              content {
                key  = items.key
                path = items.key
                mode = items.value
              }
            }
          }
        }
      }
    }
  }

  timeouts {
    create = var.start_timeout
    update = var.start_timeout
  }

  lifecycle {
    precondition {
      # A stop keeps the StatefulSet, and has to succeed whatever the values are.
      condition     = data.coder_workspace.me.start_count == 0 || length(local.refusals) + length(local.engine_refusals) == 0
      error_message = join("\n", concat(local.refusals, local.engine_refusals))
    }
  }

  depends_on = [kubernetes_secret_v1.workspace]
}

resource "coder_metadata" "workspace" {
  resource_id = kubernetes_stateful_set_v1.workspace.id
  icon        = "/icon/k8s.png"
  daily_cost  = var.daily_cost > 0 && data.coder_workspace.me.start_count > 0 ? var.daily_cost : null

  item {
    key   = "image"
    value = local.image
  }
  item {
    key   = "pod"
    value = "${var.namespace}/${local.name}-0"
  }
  item {
    key   = "home claim"
    value = "${local.home_claim}${local.home_path != "" ? ":${local.home_path}" : ""}"
  }
  item {
    key   = "claims"
    value = join(", ", [for name in keys(local.claims) : "${name}-${local.name}-0"])
  }
}
