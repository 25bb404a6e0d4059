"""MONAI Label app: packaged 2D bundles for annotators, with answers for 3D Slicer, QuPath and CVAT."""

from __future__ import annotations

import random
import tempfile
import threading
from pathlib import Path
from typing import Any

from lib.entropy import Entropy
from lib.errors import as_request_error
from lib.model import reading
from lib.names import RequestError, shown
from lib.options import INFER, check_options
from lib.pictures import check_image
from lib.starter import follow_starter
from lib.store import Store
from lib.tasks import BatchTask, InferTask, TrainTask, check_device
from monailabel.config import settings
from monailabel.interfaces.app import MONAILabelApp
from monailabel.interfaces.datastore import Datastore, DefaultLabelTag
from monailabel.interfaces.tasks.strategy import Strategy
from monailabel.tasks.activelearning.first import First
from monailabel.tasks.activelearning.random import Random


class AnyImage(Random):
    """Any unlabelled image, those not given lately more likely."""

    def __call__(self, request: dict[str, Any], datastore: Datastore) -> dict[str, Any] | None:
        try:
            return super().__call__(request, datastore)
        except ValueError:  # MONAI Label's own weights are all 0 if each image was given within this second
            return {"id": random.choice(datastore.get_unlabeled_images())}


class UNetApp(MONAILabelApp):
    """The bundles named by `--conf models NAME,NAME`, in the folder `model` beside this file."""

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        self.bundles = {name: str(Path(app_dir) / "model" / name) for name in conf["models"].split(",")}
        self.computing = threading.RLock()  # one segmentation at a time: a bundle's parsed config is shared
        self.axes = reading(conf).get("axes")
        if conf.get("follow_starter"):
            follow_starter()
        super().__init__(app_dir, studies, conf, name="U-Net", description="Segmentation of 2D microscopy images")

    def init_datastore(self) -> Datastore:
        return Store(
            self.studies,
            readable=self.check_readable,
            classes=lambda: max((task.classes for task in self._infers.values()), key=len),
            axes=self.axes,
            extensions=settings.MONAI_LABEL_DATASTORE_FILE_EXT,
            auto_reload=settings.MONAI_LABEL_DATASTORE_AUTO_RELOAD,
        )

    def check_readable(self, path: str) -> None:
        """Raise the first model's error if no model can read an image: each may take other channels."""
        errors = []
        for task in self._infers.values():
            try:
                return task.read(path)
            except Exception as error:
                errors.append(error)
        raise errors[0]

    def init_infers(self) -> dict[str, InferTask]:
        return {name: InferTask(folder, self.conf) for name, folder in self.bundles.items()}

    def init_trainers(self) -> dict[str, TrainTask]:
        return {name: TrainTask(folder, self.conf) for name, folder in self.bundles.items()}

    def init_strategies(self) -> dict[str, Strategy]:
        return {"entropy": Entropy(self._infers), "first": First(), "random": AnyImage()}

    def init_batch_infer(self) -> BatchTask:
        return BatchTask()

    def infer(self, request: dict[str, Any], datastore: Datastore | None = None) -> dict[str, Any]:
        """Segment an image of the datastore or an uploaded file.

        Raises:
            RequestError: an unknown image or model, an option that cannot be, an unreadable image.
        """
        self.require(request.get("model"), self._infers, "model")
        options = {**check_options(request, INFER), "device": check_device(request)}
        store = datastore or self.datastore()
        name: Any = request.get("image")
        uploaded = self.is_uploaded(name)
        file = Path(name) if uploaded else store.image_file(name)
        if uploaded:
            check_image(file, str(file), self.axes)
        save = options.pop("save_label", False) and not uploaded
        try:
            with self.computing:
                result = super().infer({**options, "model": request["model"], "image": str(file)}, store)
        except Exception as error:
            raise as_request_error(error) from error
        if save and result.get("file"):
            self.save(result, name, options.get("label_tag", DefaultLabelTag.ORIGINAL.value), request["model"], store)
        return result

    @staticmethod
    def is_uploaded(name: Any) -> bool:
        """Whether a request's image is a file that a caller has just sent: one in the server's own temporary folder."""
        folder = Path(tempfile.gettempdir())
        return isinstance(name, str) and Path(name).parent == folder and Path(name).is_file()

    @staticmethod
    def save(result: dict[str, Any], image: str, tag: str, model: str, store: Store) -> None:
        """Save a mask as the image's label; the temporary one is removed if that fails."""
        try:
            info = {"model": model, "params": result["params"]}
            result["label"] = store.save_label(image, result["file"], tag, info)
        except Exception:
            Path(result["file"]).unlink(missing_ok=True)
            raise

    def infer_wsi(self, request: dict[str, Any], datastore: Datastore | None = None) -> dict[str, Any]:
        """As `infer`: images are read whole, and the network's own tiles bound its memory."""
        return self.infer(request, datastore)

    def next_sample(self, request: dict[str, Any]) -> dict[str, Any]:
        """The image to label next; `RequestError` with 404 for an unknown strategy or model."""
        self.require(request.get("strategy"), self._strategies, "strategy")
        if request.get("model"):
            self.require(request["model"], self._infers, "model")
        known = {key: request[key] for key in ("strategy", "model") if request.get(key)}
        with self.computing:
            return super().next_sample({**known, "device": check_device(request)})

    def check_training(self, model: str, request: dict[str, Any]) -> dict[str, Any]:
        """The options of a training that can start; `RequestError` if it cannot."""
        self.require(model, self._trainers, "model")
        return {**self._trainers[model].check(request, self.datastore()), "device": check_device(request)}

    def bundle_path(self, model: str | None) -> str | None:
        """Folder of the bundle, asked for before each training or batch; `RequestError` with 404 for an unknown one."""
        if model is not None:
            self.require(model, self._trainers, "model")
        return super().bundle_path(model)

    @staticmethod
    def require(name: Any, known: dict[str, Any], kind: str) -> None:
        """`RequestError` with 404 unless `name` is among the known."""
        if not isinstance(name, str) or name not in known:
            raise RequestError(404, f"unknown {kind} {shown(name)}; available: {', '.join(sorted(known))}")
