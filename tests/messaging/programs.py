"""Programs that tests run in a process of their own."""

from pathlib import Path
import sys
import textwrap

_ALONE = """
import sys, types

root = sys.argv.pop(1)
sys.path.insert(0, root)
# The integration's own package would load the whole of Home Assistant.
package = types.ModuleType("custom_components.sms_italia")
package.__path__ = [f"{root}/custom_components/sms_italia"]
sys.modules[package.__name__] = package
"""


def python(program: str, *arguments: object) -> list[str]:
    """Return the command that runs a program in a process without Home Assistant."""
    code = _ALONE + textwrap.dedent(program)
    root = Path(__file__).parents[2]
    return [sys.executable, "-c", code, str(root), *map(str, arguments)]
