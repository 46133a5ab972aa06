"""A small client of our own API, for the command line and the demo."""

import json
import re
from typing import Any, Self

import httpx

_SENDABLE = re.compile(r"[\x21-\x7e]+")


class Problem(Exception):
    """The API answered with a problem document."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        fields = "".join(f"\n  {item['field']}: {item['problem']}" for item in body.get("fields") or [])
        super().__init__(f"{status} {body.get('title', '')}: {body.get('detail', '')}{fields}")
        self.status = status
        self.body = body


class Unreachable(Exception):
    """Nobody answers at this address, or somebody else does."""


class TokenUnfit(Exception):
    """This cannot be a token; the API was not asked."""


class Client:
    """Speaks to the API as one principal."""

    def __init__(self, url: str, token: str) -> None:
        if not _SENDABLE.fullmatch(token):
            raise TokenUnfit("what was given is no token: 'countersign people add' shows one")
        try:
            self._http = httpx.AsyncClient(
                base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False
            )
        except httpx.InvalidURL as error:
            raise Unreachable(f"{url} is no address: {error}") from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def send(self, event: dict[str, Any]) -> dict[str, Any]:
        """Send a CloudEvents envelope in structured mode, as it is: whether it fits is for the API to say."""
        headers = {"Content-Type": "application/cloudevents+json"}
        return await self._call("POST", "/events", content=json.dumps(event), headers=headers)

    async def cases(self, **filters: Any) -> list[dict[str, Any]]:
        """All cases that match, newest first."""
        return await self._pages("/cases", filters)

    async def case(self, case_id: str) -> dict[str, Any]:
        """One case."""
        return await self._call("GET", f"/cases/{case_id}")

    async def timeline(self, case_id: str) -> list[dict[str, Any]]:
        """What happened in a case."""
        return await self._pages(f"/cases/{case_id}/timeline", {})

    async def verdicts(self, case_id: str) -> list[dict[str, Any]]:
        """What the rules said in a case."""
        return await self._pages(f"/cases/{case_id}/verdicts", {})

    async def record(self, case_id: str) -> dict[str, Any]:
        """What was decided in a case, and why."""
        return await self._call("GET", f"/cases/{case_id}/record")

    async def dossier(self, case_id: str) -> dict[str, Any]:
        """A case in one document, its personal values sealed."""
        return await self._call("GET", f"/cases/{case_id}/dossier")

    async def unmask_dossier(self, case_id: str, why: str) -> dict[str, Any]:
        """A case in one document, its personal values in clear."""
        return await self._call("POST", f"/cases/{case_id}/dossier", json={"why": why})

    async def rollback(
        self, case_id: str, why: str, *, dry_run: bool, plan: str | None = None
    ) -> dict[str, Any]:
        """Take back what a case has done, or say what that would be."""
        body = {"why": why, "dry_run": dry_run} | ({"plan": plan} if plan else {})
        return await self._call("POST", f"/cases/{case_id}/rollback", json=body)

    async def reviews(self, **filters: Any) -> list[dict[str, Any]]:
        """All reviews that match; open ones unless a status is given."""
        return await self._pages("/reviews", filters)

    async def review(self, review_id: str) -> dict[str, Any]:
        """One review, as this principal sees it."""
        return await self._call("GET", f"/reviews/{review_id}")

    async def vote(
        self, review_id: str, kind: str, digest: str, comment: str | None, reason_code: str | None = None
    ) -> dict[str, Any]:
        """Say something to the action with this digest."""
        body = {"kind": kind} | ({"comment": comment} if comment else {})
        body |= {"reason_code": reason_code} if reason_code else {}
        headers = {"If-Match": f'"{digest}"'}
        return await self._call("POST", f"/reviews/{review_id}/votes", json=body, headers=headers)

    async def rule_tables(self, **filters: Any) -> list[dict[str, Any]]:
        """All versions of rule tables that match."""
        return await self._pages("/rules", filters)

    async def draft_rules(self, workflow: str, source: str, note: str) -> dict[str, Any]:
        """Draft a version of a rule table."""
        return await self._call(
            "POST", "/rules/drafts", json={"workflow": workflow, "source": source, "note": note}
        )

    async def decide_rules(self, digest: str, kind: str, comment: str | None) -> dict[str, Any]:
        """Put a draft in force, or reject it."""
        body = {"kind": kind} | ({"comment": comment} if comment else {})
        return await self._call("POST", f"/rules/{digest}/decision", json=body)

    async def notifications(self, **filters: Any) -> list[dict[str, Any]]:
        """All notifications that match, newest first."""
        return await self._pages("/notifications", filters)

    async def retry_notification(self, notification_id: str) -> dict[str, Any]:
        """Have one that was given up sent after all."""
        return await self._call("POST", f"/notifications/{notification_id}/retry")

    async def exceptions(self, **filters: Any) -> list[dict[str, Any]]:
        """All open exceptions that match, newest first."""
        return await self._pages("/exceptions", filters)

    async def way_out(
        self, exception_id: str, way: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Take a way out of an exception: retry, resolve, cancel or hand-over."""
        more = {} if body is None else {"json": body}
        return await self._call("POST", f"/exceptions/{exception_id}/{way}", **more)

    async def cancel_case(self, case_id: str, why: str) -> dict[str, Any]:
        """Cancel a case that waits for people."""
        return await self._call("POST", f"/cases/{case_id}/cancel", json={"why": why})

    async def move_case(self, case_id: str, to: str) -> dict[str, Any]:
        """Have a case whose step the installed version lacks go on from one that it has."""
        return await self._call("POST", f"/cases/{case_id}/move", json={"to": to})

    async def halts(self, *, released: bool) -> dict[str, Any]:
        """What is stopped, and with `released` what was."""
        return await self._call("GET", "/halts", params={"released": released})

    async def press_halt(
        self, scope: str, target: str | None, reason_code: str, remark: str | None
    ) -> dict[str, Any]:
        """Stop something."""
        body = {"scope": scope, "target": target, "reason_code": reason_code, "remark": remark}
        return await self._call("POST", "/halts", json=body)

    async def release_halt(self, halt_id: str) -> dict[str, Any]:
        """Let go on what was stopped."""
        return await self._call("DELETE", f"/halts/{halt_id}")

    async def tools(self) -> list[dict[str, Any]]:
        """Every tool from outside, by name."""
        return list((await self._call("GET", "/tools"))["items"])

    async def admit_tool(self, name: str, digest: str, effect: str | None) -> dict[str, Any]:
        """Let a tool in, as its definition with this digest says."""
        body = {"digest": digest} | ({"effect": effect} if effect else {})
        return await self._call("POST", f"/tools/{name}/admission", json=body)

    async def withdraw_tool(self, name: str) -> dict[str, Any]:
        """Take an admission back."""
        return await self._call("DELETE", f"/tools/{name}/admission")

    async def schedules(self) -> list[dict[str, Any]]:
        """Every schedule, by name."""
        return list((await self._call("GET", "/schedules"))["items"])

    async def add_schedule(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Add a schedule."""
        return await self._call("POST", "/schedules", json=wish)

    async def change_schedule(self, schedule_id: str, what: str) -> dict[str, Any]:
        """Pause or resume a schedule."""
        return await self._call("POST", f"/schedules/{schedule_id}/{what}")

    async def remove_schedule(self, schedule_id: str) -> dict[str, Any]:
        """Remove a schedule."""
        return await self._call("DELETE", f"/schedules/{schedule_id}")

    async def triggers(self) -> list[dict[str, Any]]:
        """Every trigger, by name."""
        return list((await self._call("GET", "/triggers"))["items"])

    async def _pages(self, path: str, filters: dict[str, Any]) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        params = {name: value for name, value in filters.items() if value is not None} | {"limit": 200}
        while True:
            page = await self._call("GET", path, params=params)
            items += page["items"]
            if page["next"] is None:
                return items
            params["after"] = page["next"]

    async def _call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        try:
            response = await self._http.request(method, path, **more)
        except httpx.UnsupportedProtocol as error:
            raise Unreachable(f"{self._http.base_url} is no address: it begins with http://") from error
        except httpx.TransportError as error:
            raise Unreachable(
                f"nobody answers at {self._http.base_url}: start 'countersign up' first"
            ) from error
        kind = response.headers.get("content-type", "")
        if response.is_error and kind == "application/problem+json":
            raise Problem(response.status_code, dict(response.json()))
        if not response.is_success or kind != "application/json":
            raise Unreachable(f"what answers at {self._http.base_url} is no Countersign")
        return dict(response.json())
