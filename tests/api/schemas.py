"""Real answers held against the OpenAPI document: every field there, none besides, each of its type."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI
from jsonschema import Draft202012Validator, FormatChecker


class Contract:
    """What the document says each route answers with."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._components = {"schemas": {name: _strict(schema) for name, schema in document["components"]["schemas"].items()}}
        self._routes = [
            (method.upper(), re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path, operation["responses"])
            for path, item in document["paths"].items()
            for method, operation in item.items()
        ]
        # Paths without parameters first: `revisions` is no number of a revision.
        self._routes.sort(key=lambda route: route[2].count("{"))
        self._validators: dict[tuple[str, str, str], Draft202012Validator] = {}

    def held(self, method: str, path: str, status: int, answer: Any) -> str:
        """The path of the route whose answer this is, once it is found right; empty where the document knows none."""
        found = next((route for route in self._routes if route[0] == method and route[1].fullmatch(path)), None)
        if found is None:
            return ""
        _, _, template, responses = found
        told = str(status) if str(status) in responses else "default"
        key = (method, template, told)
        if key not in self._validators:
            schema = responses[told]["content"]["application/json"]["schema"]
            self._validators[key] = self.validator(schema)
        self._validators[key].validate(answer)
        return template

    def validator(self, schema: dict[str, Any]) -> Draft202012Validator:
        return Draft202012Validator({**schema, "components": self._components}, format_checker=FormatChecker())


_contracts: list[Contract] = []


def contract_of(app: FastAPI) -> Contract:
    """Every app says the same of itself. To have it said takes longer than all else of a Master's start, so it is said once per process."""
    if not _contracts:
        _contracts.append(Contract(app.openapi()))
    return _contracts[0]


class AnswerChecker:
    """`checked`: the routes (method, path below the prefix) whose right answers have been held against their schema."""

    def __init__(self, app: FastAPI) -> None:
        self._contract = contract_of(app)
        self.checked: set[tuple[str, str]] = set()

    def check(self, method: str, path: str, status: int, answer: Any) -> None:
        template = self._contract.held(method, path, status, answer)
        if template and status == 200:
            self.checked.add((method, template.removeprefix("/api/v1")))

    def validator(self, schema: dict[str, Any]) -> Draft202012Validator:
        return self._contract.validator(schema)


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "additionalProperties": False} if "properties" in schema else schema
