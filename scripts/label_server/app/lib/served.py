"""The server that uvicorn runs: MONAI Label's calls that annotators need, behind a gate.

MONAI Label's own server lets every origin call, and computes in the loop that answers everybody. It also takes weights
and archives from any client, and is a proxy. This app serves the calls below, and no others.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from monailabel.config import settings
from monailabel.endpoints import activelearning, batch_infer, datastore, infer, info, model, train, wsi_infer
from monailabel.interfaces.exception import ImageNotFoundException, LabelNotFoundException
from monailabel.interfaces.utils.app import app_instance
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.middleware.cors import CORSMiddleware

from .errors import as_request_error
from .gate import App, Gate, HidePaths, UploadLimit
from .names import IMAGE_SUFFIXES, LABEL_SUFFIXES, RequestError, check_suffix

ROUTES = {
    info: ["GET /info/"],
    model: ["GET /model/{model}", "GET /model/info/{model}"],
    infer: ["POST /infer/{model}"],
    wsi_infer: ["POST /infer/wsi/{model}", "POST /infer/wsi_v2/{model}"],
    activelearning: ["POST /activelearning/{strategy}"],
    batch_infer: ["GET /batch/infer", "POST /batch/infer/{model}", "DELETE /batch/infer"],
    train: ["GET /train/", "POST /train/{model}", "DELETE /train/"],
    datastore: [
        "GET /datastore/",
        "PUT /datastore/",
        "DELETE /datastore/",
        *(f"{method} /datastore/image" for method in ("GET", "HEAD", "PUT", "DELETE")),
        *(f"{method} /datastore/label" for method in ("GET", "HEAD", "PUT", "DELETE")),
        *(f"{method} /datastore/{kind}/info" for method in ("GET", "PUT") for kind in ("image", "label")),
    ],
}
JSON_FIELDS = ("params", "info", "wsi")  # of forms
FILE_SUFFIXES = {"file": (*IMAGE_SUFFIXES, ".nii.gz"), "label": LABEL_SUFFIXES}
logger = logging.getLogger(__name__)


def in_thread(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """The endpoint as a function, which FastAPI runs in a thread: MONAI Label's never wait, they compute.

    What the caller sent is checked first. What a failed call leaves behind is removed.
    """

    def run(**given: Any) -> Any:
        tasks = given.get("background_tasks") or BackgroundTasks()
        try:
            check_fields(given)
            return asyncio.run(endpoint(**given))
        except Exception as error:
            asyncio.run(tasks())  # MONAI Label removes uploads after its answer, so not if there is none
            raise for_caller(error) from error

    run.__signature__ = inspect.signature(endpoint)  # type: ignore[attr-defined]
    return run


def check_fields(given: dict[str, Any]) -> None:
    """Refuse sessions, no image, files of other formats, and fields of a form that hold no JSON object."""
    if given.get("session_id"):
        raise RequestError(404, "session_id: there are no sessions; upload the image to the datastore")
    if "session_id" in given and not (given["image"] or given.get("file")):  # of the calls that segment
        raise RequestError(400, "image: name an image of the datastore, or send a file")
    if given.get("output") == "dicom_seg":
        raise RequestError(400, "output: there is no DICOM here; give image, json or all")
    for name, value in given.items():
        if isinstance(value, UploadFile):
            check_suffix(value.filename, FILE_SUFFIXES[name])
        elif name in JSON_FIELDS and isinstance(value, str):
            try:
                usable = isinstance(json.loads(value), dict)
            except (ValueError, RecursionError):
                usable = False
            if not usable:
                raise RequestError(400, f"{name}: give a JSON object")


def for_caller(error: Exception) -> Exception:
    """The error for the caller: bad input as `RequestError`, without the temporary name of an uploaded file."""
    if isinstance(error, ValidationError):
        return RequestError(
            400, "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        )
    error = as_request_error(error)
    if isinstance(error, RequestError):
        temporary = re.escape(tempfile.gettempdir()) + r"[/\\]tmp[^/\\\s:]+"
        error = RequestError(error.status, re.sub(temporary, "the uploaded file", error.detail))
    return error


@asynccontextmanager
async def lifespan(server: FastAPI) -> AsyncIterator[None]:
    """Start the app, as MONAI Label's own server does."""
    instance = app_instance()
    instance.server_mode(True)
    instance.on_init_complete()
    yield


async def refused(request: Request, error: Exception) -> JSONResponse:
    """Answer of a call that is not carried out."""
    status = error.status if isinstance(error, RequestError) else 404
    return JSONResponse({"detail": str(getattr(error, "msg", error))}, status_code=status)


async def failed(request: Request, error: Exception) -> JSONResponse:
    """Answer where something is wrong with the server."""
    return JSONResponse({"detail": "internal error; the server's log says more"}, status_code=500)


def make_server() -> FastAPI:
    """The calls, and a page at the root to try them, which needs no internet."""
    server = FastAPIOffline(docs_url="/", redoc_url=None, title="MONAI Label", lifespan=lifespan)
    for kind in (RequestError, ImageNotFoundException, LabelNotFoundException):
        server.add_exception_handler(kind, refused)
    server.add_exception_handler(Exception, failed)
    for module, wanted in ROUTES.items():
        routes = {f"{method} {route.path}": route for route in module.router.routes for method in route.methods}
        for name in wanted:
            route = routes[name]
            endpoint = start_training if name == "POST /train/{model}" else route.endpoint
            server.add_api_route(
                route.path,
                in_thread(endpoint),
                methods=[name.partition(" ")[0]],
                tags=route.tags,
                summary=route.summary,
                operation_id=name,
                include_in_schema=route.include_in_schema,
            )
    return server


async def start_training(model: str, params: dict[str, Any] | None = None, enqueue: bool = False) -> Any:
    """Start a training, after its options and labels were checked."""
    return train.run_model(model, app_instance().check_training(model, params or {}), False, enqueue)


def guarded(server: App, conf: dict[str, str]) -> App:
    """The server behind the gate, by the app's `--conf`."""
    origins = [origin for origin in conf.get("allow_origins", "").split(",") if origin]
    folders = {
        tempfile.gettempdir() + os.sep: "",
        settings.MONAI_LABEL_STUDIES: "studies",
        settings.MONAI_LABEL_APP_DIR: "app",
        sys.prefix: "python",
        str(Path.home()): "~",
    }
    if origins:
        server = CORSMiddleware(server, allow_origins=origins, allow_methods=["*"], allow_headers=["*"])
    server = UploadLimit(server, int(conf["max_upload"]) << 20)
    return Gate(HidePaths(server, folders), settings.MONAI_LABEL_SERVER_PORT, origins)


app = guarded(make_server(), settings.MONAI_LABEL_APP_CONF)
