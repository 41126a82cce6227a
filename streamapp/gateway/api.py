"""The application that a web server runs: routes, their description, and what every request passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from streamapp import __version__
from streamapp.errors import StreamappError, in_one_line
from streamapp.gateway.middleware import GatewayMetrics, Metered, TokenRequired
from streamapp.gateway.pages import body_of, describe_api, docs_page
from streamapp.gateway.problems import of_error
from streamapp.gateway.routes import Backend, Routes, problem
from streamapp.gateway.v2 import ModelMetadata, Problem, Written
from streamapp.messages import Feedback, Prediction, PredictionV2, RequestV2
from streamapp.messages import Request as NativeRequest
from streamapp.settings import Settings

__all__ = ["create_api"]

_Responses = dict[int | str, dict[str, Any]]

_PROBLEMS = {
    400: "The body is wrong, or the model does not take it.",
    401: "The token is missing or wrong.",
    404: "This model, or this version of it, is not served.",
    413: "The body is too large.",
    429: "Too many requests are in flight; try again.",
    500: "The model failed.",
    503: "Kafka does not answer, or there is no model.",
    504: "No answer in time; the request may still be answered.",
}

_ROUTING = {404: "not-found", 405: "method-not-allowed"}
"""Codes of what the router refuses."""


def create_api(backend: Backend, settings: Settings, *, token: str | None = None) -> FastAPI:
    """Return the application (ASGI) that answers for a deployment.

    Parameters
    ----------
    backend
        The deployment, connected.
    settings
        Its name and bounds.
    token
        What requests have to bring; None for all to come in.
    """
    name = settings.name
    api = FastAPI(
        title=f"streamapp gateway of {name}",
        version=__version__,
        description=f"Requests go to {name}.requests on Kafka, as they are; replies are its answers.",
        docs_url=None,  # FastAPI's own page loads scripts from elsewhere
        redoc_url=None,
    )
    metrics = GatewayMetrics(lambda: len(backend.exchange.pending))
    _add_routes(api, Routes(backend, settings))

    async def docs() -> Response:
        headers = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return HTMLResponse(docs_page(api.openapi()), headers=headers)

    async def exposed() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    api.add_api_route("/docs", docs, include_in_schema=False)
    api.add_api_route("/metrics", exposed, include_in_schema=False)
    described = describe_api(api, [NativeRequest, RequestV2, Feedback])
    api.openapi = lambda: described  # type: ignore[method-assign]  # FastAPI's own way to extend it
    api.add_exception_handler(StreamappError, _on_error)
    api.add_exception_handler(Exception, _on_bug)
    for status in _ROUTING:
        api.add_exception_handler(status, _on_refusal)
    api.add_middleware(TokenRequired, token=token)
    api.add_middleware(Metered, metrics=metrics)  # the last is the first that a request meets
    return api


def _add_routes(api: FastAPI, routes: Routes) -> None:
    def get(
        path: str,
        summary: str,
        to: Any,
        *problems: int,
        reply: type[BaseModel] | None = None,
        **more: Any,
    ) -> None:
        responses = _responses(200, "So it is.", reply, problems)
        api.add_api_route(path, to, summary=summary, responses=responses, **more)

    def post(
        path: str,
        summary: str,
        to: Any,
        body: type[BaseModel],
        *,
        reply: type[BaseModel],
        status: int = 200,
        **more: Any,
    ) -> None:
        api.add_api_route(
            path,
            to,
            methods=["POST"],
            status_code=status,
            summary=summary,
            responses=_responses(status, "The answer.", reply, (400, 401, 413, 429, 500, 503, 504)),
            openapi_extra=body_of(body),
            **more,
        )

    post("/predict", "A request as on Kafka", routes.predict, NativeRequest, reply=Prediction)
    post("/feedback", "What was right: a label", routes.feedback, Feedback, reply=Written, status=202)
    get("/v2", "What this server is", routes.server, 401)
    get("/v2/health/live", "The process works", routes.live)
    get("/v2/health/ready", "Kafka answers, and there is a champion", routes.ready, 503)
    for path, check in (
        ("/v2/models/{name}", routes.named),
        ("/v2/models/{name}/versions/{version}", routes.versioned),
    ):
        checked: dict[str, Any] = {"dependencies": [Depends(check)]}
        get(path, "Inputs and outputs", routes.model, 401, 404, 503, reply=ModelMetadata, **checked)
        get(f"{path}/ready", "Kafka answers, and this model serves", routes.ready, 401, 404, 503, **checked)
        post(f"{path}/infer", "Rows in V2", routes.infer, RequestV2, reply=PredictionV2, **checked)


def _responses(status: int, about: str, reply: type[BaseModel] | None, problems: Sequence[int]) -> _Responses:
    found: _Responses = {one: {"model": Problem, "description": _PROBLEMS[one]} for one in problems}
    found[status] = {"description": about} | ({} if reply is None else {"model": reply})
    return found


async def _on_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, StreamappError)
    return problem(*of_error(exc))


async def _on_bug(request: Request, exc: Exception) -> Response:
    return problem(500, {"error": f"unexpected {in_one_line(exc)}", "code": StreamappError.code})


async def _on_refusal(request: Request, exc: Exception) -> Response:
    status, text = getattr(exc, "status_code", 500), str(getattr(exc, "detail", exc))
    return problem(status, {"error": text, "code": _ROUTING[status]})
