"""What `up` tells a person to do next."""

from collections.abc import Mapping

from bitbylaw.cli.up.layout import Layout
from bitbylaw.cli.up.watch import Progress

#: Documents named one by one at most.
LISTED = 20


def first_steps(layout: Layout, environ: Mapping[str, str]) -> str:
    """Things to try once all is in sync."""
    lines = ["", "[bold]All documents are in xAI.[/bold] Try:"]
    if layout.simulate_espocrm:
        url = layout.espocrm_url
        lines += [
            "  change a document as a colleague would (its webhook follows within a second):",
            (
                f"    id=$(curl -s -H 'X-Api-Key: other-key' '{url}/CDokumente?maxSize=1&select=id' "
                "| grep -o '[0-9a-f]\\{17\\}' | head -n1)"
            ),
            (
                f"    curl -X PUT -H 'X-Api-Key: other-key' -H 'Content-Type: application/json' {url}/CDokumente/$id "
                """-d '{"fileStatus":"changed"}'"""
            ),
        ]
    lines += [
        "  put an event in by hand:",
        f"    NATS_URL={environ['NATS_URL']} .venv/bin/bitbylaw pub vmh.document.update '{{\"entity_id\":\"'$id'\"}}'",
        f"    nats -s {environ['NATS_URL']} pub vmh.document.update '{{\"entity_id\":\"'$id'\"}}'   # NATS' own tool",
        "  kill a service and watch it come back: kill -9 <pid>",
        f"  read what the services say: tail -f {layout.data}/logs/*.log",
        "Ctrl-C drains and ends everything.",
        "",
    ]
    return "\n".join(lines)


def not_synced(progress: Progress | None, expected: int, layout: Layout) -> str:
    """Why `--exit-when-synced` fails."""
    if progress is None:
        return f"[red]EspoCRM or xAI never answered[/red]; logs: {layout.data}/logs"
    total = max(progress.total, expected)
    lines = [f"[red]{total - progress.synced} of {total} documents are not in sync[/red]; logs: {layout.data}/logs"]
    lines += [f"  {item.id}  {item.status}  {item.reason}" for item in progress.waiting[:LISTED]]
    if len(progress.waiting) > LISTED:
        lines.append(f"  … and {len(progress.waiting) - LISTED} more")
    return "\n".join(lines)
