"""MONAI Label app: packaged 2D bundles for annotators, with answers for 3D Slicer, QuPath and CVAT."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import fastapi_offline
import torch
from fastapi import HTTPException, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from lib.entropy import Entropy
from lib.tasks import InferTask, TrainTask
from monailabel.interfaces.app import MONAILabelApp
from monailabel.interfaces.exception import ImageNotFoundException, LabelNotFoundException
from monailabel.interfaces.tasks.strategy import Strategy
from monailabel.tasks.activelearning.first import First
from monailabel.tasks.activelearning.random import Random


def input_error(error: BaseException | None) -> BaseException | None:
    """The bundle's error about bad input that `error` is or was caused by, if any."""
    while error is not None and type(error).__name__ != "UserError":
        error = error.__cause__ or error.__context__
    return error


async def not_found(request: Request, error: Exception) -> JSONResponse:
    """Answer of the server to an unknown image or label."""
    return JSONResponse({"detail": getattr(error, "msg", str(error))}, status_code=404)


def serve_page_files(server: ModuleType) -> None:
    """Let the server's page with all calls load its scripts from this machine, so that it works without internet."""
    server.app.mount("/page", StaticFiles(directory=Path(fastapi_offline.__file__).with_name("static")))
    server.get_swagger_ui_html = partial(  # type: ignore[attr-defined]
        get_swagger_ui_html, swagger_js_url="/page/swagger-ui-bundle.js", swagger_css_url="/page/swagger-ui.css"
    )


class UNetApp(MONAILabelApp):
    """The bundles named by `--conf models NAME,NAME`, in the folder `model` beside this file."""

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        self.bundles = {name: str(Path(app_dir) / "model" / name) for name in conf["models"].split(",")}
        super().__init__(app_dir, studies, conf, name="U-Net", description="Segmentation of 2D microscopy images")

    def init_infers(self) -> dict[str, InferTask]:
        return {name: InferTask(folder, self.conf) for name, folder in self.bundles.items()}

    def init_trainers(self) -> dict[str, TrainTask]:
        return {name: TrainTask(folder, self.conf) for name, folder in self.bundles.items()}

    def init_strategies(self) -> dict[str, Strategy]:
        return {"entropy": Entropy(self._infers), "first": First(), "random": Random()}

    def on_init_complete(self) -> None:
        import monailabel.app as server  # the one that is running; the processes that train have none

        for kind in (ImageNotFoundException, LabelNotFoundException):
            server.app.add_exception_handler(kind, not_found)
        server.app.middleware_stack = server.app.build_middleware_stack()  # it was built before this app was
        serve_page_files(server)
        super().on_init_complete()

    def infer(self, request: dict[str, Any], datastore: Any = None) -> dict[str, Any]:
        """Segment an image of the datastore or a file; HTTP 404 for an unknown one, 400 for one that cannot be read."""
        self.require(request.get("model"), self._infers, "model")
        image = request["image"]
        store = datastore or self.datastore()
        if isinstance(image, str) and not Path(image).is_file() and not store.get_image_uri(image):
            raise HTTPException(404, f"there is no image '{image}'; /datastore/?output=all lists them")
        try:
            return super().infer(request, datastore)
        except Exception as error:
            cause = input_error(error)
            if cause is None:
                raise
            raise HTTPException(400, str(cause)) from error

    def infer_wsi(self, request: dict[str, Any], datastore: Any = None) -> dict[str, Any]:
        """As `infer`: images are read whole, and the network's own tiles bound its memory."""
        return self.infer(request, datastore)

    def batch_infer(self, request: dict[str, Any], datastore: Any = None) -> dict[str, Any]:
        """Segment many images; on the CPU where there is no GPU, whatever the client asks."""
        if not torch.cuda.is_available():
            request = {**request, "device": "cpu", "multi_gpu": False}
        return super().batch_infer(request, datastore)

    def next_sample(self, request: dict[str, Any]) -> dict[str, Any]:
        """The image to label next; HTTP 404 for an unknown strategy or model."""
        self.require(request.get("strategy"), self._strategies, "strategy")
        if request.get("model"):
            self.require(request["model"], self._infers, "model")
        return super().next_sample(request)

    def bundle_path(self, model: str | None) -> str | None:
        """Folder of the bundle, asked for before each training or batch; HTTP 404 for an unknown one."""
        if model is not None:
            self.require(model, self._trainers, "model")
        return super().bundle_path(model)

    @staticmethod
    def require(name: str | None, known: dict[str, Any], kind: str) -> None:
        """HTTP 404 unless `name` is among the known."""
        if name not in known:
            raise HTTPException(404, f"there is no {kind} '{name}'; there is {', '.join(sorted(known))}")
