"""The program with all its commands."""

from __future__ import annotations

from holdfast.cli.commands import (
    anomalies,
    approvals,
    archive,
    audit,
    cluster,
    directories,
    grants,
    keys,
    master_backup,
    nodes,
    notify,
    pausing,
    points,
    prune,
    report_schedules,
    repository,
    repository_care,
    seeding,
    users,
)
from holdfast.cli.root import MODULES, new_program, register

app = new_program()
for module in MODULES:
    register(module, app)
master_backup.register(cluster.master_app)
app.add_typer(cluster.master_app, name="master")
app.add_typer(cluster.node_app, name="node")
app.add_typer(nodes.nodes_app, name="nodes")
repository.repository_app.command()(prune.prune)
repository_care.register(repository.repository_app)
pausing.register(repository.repository_app)
repository.repository_app.add_typer(keys.key_app, name="key")
repository.repository_app.add_typer(seeding.seed_app, name="seed")
app.add_typer(repository.repository_app, name="repository")
app.add_typer(points.points_app, name="points")
app.add_typer(anomalies.anomaly_app, name="anomaly")
app.add_typer(archive.archive_app, name="archive")
app.add_typer(approvals.approvals_app, name="approvals")
app.add_typer(audit.audit_app, name="audit")
app.add_typer(notify.notify_app, name="notify")
app.add_typer(report_schedules.reports_app, name="reports")
app.add_typer(points.dataset_app, name="dataset")
app.add_typer(users.user_app, name="user")
app.add_typer(directories.directory_app, name="directory")
app.add_typer(users.token_app, name="token")
app.add_typer(users.session_app, name="session")
app.add_typer(grants.role_app, name="role")
app.add_typer(grants.group_app, name="group")
app.add_typer(grants.grant_app, name="grant")
app.add_typer(grants.access_app, name="access")
