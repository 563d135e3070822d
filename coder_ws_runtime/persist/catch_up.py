"""Follow renames that no daemon saw, before a command changes what is declared."""

from coder_ws_runtime.persist.child_content import follow_parent, take_over
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.renames import follow_renames
from coder_ws_runtime.persist.session import Session


def catch_up(session: Session) -> None:
    """Let each managed symlink that was renamed have its content; the old names stay free.

    What fails is reported when the path is settled.
    """
    found = load_declarations(session.layout, session.settings)
    # First: with its parent, a child's content would be published for all workspaces.
    places = take_over(session, found.children)
    relink, session.relink = session.relink, False
    try:
        follow_renames(session, found.entries)
    finally:
        session.relink = relink
    for child in found.children:
        follow_parent(session, child, places)
