"""Nodes: who they are, joining, renewing, revoking."""

from __future__ import annotations

import asyncio
import base64
from typing import Annotated
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Query, Request, Response

from holdfast.api.answers import AuthorisedNode, Deleted, JoinTokenList, NodeList, RevokedNode, SampleView, TriggerStarted
from holdfast.api.callers import MasterOf, User
from holdfast.api.contract import answers
from holdfast.api.permits import ReachOf, does
from holdfast.api.replies import raw_fields, reply
from holdfast.api.schemas import ClassificationSample, FolderWanted, Join, JoinTokenWanted, NodeMoveWanted, NodeRename, Recall, Renew
from holdfast.compiler.parse_part import parse_classification
from holdfast.core.errors import UsageError
from holdfast.master.membership.enrolment import Joined, JoinRequest, Renewed, RenewRequest
from holdfast.master.membership.join_tokens import NewJoinToken, TokenWish
from holdfast.master.membership.moving import MoveWish, NodeMove
from holdfast.master.membership.renaming import Renamed, RenameWish
from holdfast.master.rules.in_force import RulesInForce
from holdfast.model.access import Activity
from holdfast.model.doctor import Examined
from holdfast.model.recalling import AskRecall
from holdfast.model.sampling import AskFolders, AskSample, Folders
from holdfast.model.upgrades import UpgradeOrder

public = APIRouter(tags=["nodes"])
router = APIRouter(tags=["nodes"])


@public.post("/join")
@answers(Joined)
async def join(body: Join, request: Request, master: MasterOf) -> Response:
    """The token is the proof. The hub's address is given as the host this Master was reached by."""
    wanted = JoinRequest(token=body.token, name=body.name, csr_pem=body.csr_pem, replace=body.replace)
    return reply(await master.enrolment.join(wanted, master.hub_address(request.url.hostname or "localhost")))


@public.post("/renew")
@answers(Renewed)
async def renew(body: Renew, master: MasterOf) -> Response:
    """The signature of the node's key is the proof."""
    try:
        signature = base64.b64decode(body.signature, validate=True)
    except ValueError:
        raise UsageError("`signature` is not base64", hint="encode the DER signature in base64") from None
    wanted = RenewRequest(certificate_pem=body.certificate_pem, csr_pem=body.csr_pem, signature=signature)
    return reply(await master.enrolment.renew(wanted))


@router.get("/nodes")
@answers(NodeList)
@does(Activity.STATUS_READ, on="narrowed")
async def nodes(
    request: Request,
    master: MasterOf,
    reach: ReachOf,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 500,
    after: Annotated[str, Query(max_length=256)] = "",
    name: Annotated[str, Query(max_length=256)] = "",
) -> Response:
    """By name, beginning behind `after`; with `name` that one alone."""
    known = await master.board.nodes(reach.may)
    wanted = sorted((node for node in known if node.name > after and name in ("", node.name)), key=lambda node: node.name)
    page = wanted[:limit]
    following = page[-1].name if len(wanted) > limit else None
    return await asyncio.to_thread(lambda: reply({"nodes": request.app.state.rows.encoded(page), "next": following}))


@router.get("/nodes/upgrades")
@answers(UpgradeOrder)
@does(Activity.STATUS_READ, on="narrowed")
async def upgrades(master: MasterOf, reach: ReachOf) -> Response:
    """The version of each node beside the Master's, and whose turn it is to be upgraded: the Master, who receives, then the others."""
    return reply(await master.upgrading.order(reach.may))


@router.post("/nodes/tokens")
@answers(NewJoinToken)
@does(Activity.NODES_MANAGE)
async def create_join_token(body: JoinTokenWanted, request: Request, master: MasterOf) -> Response:
    """`command` names this Master as you reached it, or, from the Master's own machine, as others do."""
    url = master.api_url(request.url.hostname or "localhost", request.url.port or 443)
    wish = TokenWish(name=body.name, ttl_s=body.ttl_s, replace=body.replace, hold=body.hold, url=url)
    return reply(await master.join_tokens.create(wish))


@router.get("/nodes/tokens")
@answers(JoinTokenList)
@does(Activity.NODES_MANAGE)
async def join_tokens(master: MasterOf) -> Response:
    """Those that were neither used nor cancelled and have not expired. What they open the door with is not told again."""
    return reply(JoinTokenList(tokens=await master.join_tokens.open()))


@router.delete("/nodes/tokens/{token}")
@answers(Deleted)
@does(Activity.NODES_MANAGE)
async def cancel_join_token(token: str, master: MasterOf) -> Response:
    await master.join_tokens.cancel(token)
    return reply(Deleted(deleted=token))


@router.post("/nodes/{node}/authorise")
@answers(AuthorisedNode)
@does(Activity.NODES_MANAGE, on="node")
async def authorise(node: str, master: MasterOf) -> Response:
    """Let in a node that joined with a token that holds."""
    authorised = await master.enrolment.authorise(node)
    return reply(AuthorisedNode(id=authorised.id, name=authorised.name))


@router.post("/nodes/{node}/revoke")
@answers(RevokedNode)
@does(Activity.NODES_MANAGE, on="node")
async def revoke(node: str, master: MasterOf, user: User) -> Response:
    revoked = await master.enrolment.revoke(node, user)
    return reply(RevokedNode(id=revoked.id, name=revoked.name))


@router.post("/nodes/{node}/rename")
@answers(Renamed)
@does(Activity.NODES_MANAGE, on="node")
async def rename(node: str, body: NodeRename, master: MasterOf, user: User) -> Response:
    """Its identity, its certificate and its history stay; document, rules, groups and what is looked for by name follow. With `dry_run`
    only what would come of it."""
    wish = RenameWish(node=node, name=body.name, by=user, accept_new_copies=body.accept_new_copies, dry_run=body.dry_run)
    return reply(await master.renaming.rename(wish))


@router.post("/nodes/{node}/move")
@answers(NodeMove)
@does(Activity.NODES_MANAGE, on="node")
async def move(node: str, body: NodeMoveWanted, request: Request, master: MasterOf) -> Response:
    """To another machine: what to carry there by hand, and the token by which it takes the node's place. Nothing changes before that."""
    url = master.api_url(request.url.hostname or "localhost", request.url.port or 443)
    return reply(await master.moving.prepare(MoveWish(node=node, url=url, ttl_s=body.ttl_s, dry_run=body.dry_run)))


@router.get("/nodes/{node}/rules")
@answers(RulesInForce)
@does(Activity.STATUS_READ, on="node")
async def rules_of_node(node: str, master: MasterOf) -> Response:
    """What the rules that are in force on that node make it do, in words, and what its own limits allow."""
    return reply(await master.rules.in_force(node))


@router.get("/nodes/{node}/doctor")
@answers(Examined)
@does(Activity.STATUS_READ, on="node")
async def doctor(node: str, master: MasterOf) -> Response:
    """That machine examines itself now: whether it can do what its rules ask, and what is in the way. What is all right is named, too."""
    return reply(await master.queries.doctor(node))


@router.post("/nodes/{node}/folders")
@answers(Folders)
@does(Activity.NODES_BROWSE, on="node")
async def folders(node: str, body: FolderWanted, master: MasterOf) -> Response:
    """The folders in a folder of that node, as far as its limits allow a look; at most 500. Where the limits name roots, `/` shows them."""
    return reply(await master.queries.folders(node, AskFolders(path=unquote_to_bytes(body.path))))


@router.post("/nodes/{node}/sample")
@answers(SampleView)
@does(Activity.NODES_BROWSE, on="node")
async def sample(node: str, body: ClassificationSample, master: MasterOf) -> Response:
    """What a classification would choose on that node now, and what it would leave out and why. Changes nothing."""
    parsed = await asyncio.to_thread(parse_classification, body.classification)
    if parsed.classification is None:
        return reply(SampleView(valid=False, diagnostics=parsed.diagnostics))
    found = await master.queries.sample(node, AskSample(classification=parsed.classification, limit=body.limit))
    return reply(SampleView(valid=True, diagnostics=parsed.diagnostics, **raw_fields(found)))


@router.post("/nodes/{node}/recall")
@answers(TriggerStarted)
@does(Activity.DATA_RESTORE, on="node")
async def recall(node: str, body: Recall, master: MasterOf) -> Response:
    """Archived files come back into the places of their stubs: a job of that node; its `report` says how many, or with `dry_run` would."""
    ask = AskRecall(paths=tuple(map(unquote_to_bytes, body.paths)), recursive=body.recursive, dry_run=body.dry_run)
    return reply(TriggerStarted(trigger=await master.restores.recall(node, ask)))
