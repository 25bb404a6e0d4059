"""Options of requests: nothing that is not known, nothing of a wrong type, no code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.label_server.app.lib.names import RequestError
from scripts.label_server.app.lib.options import BATCH, INFER, TRAIN, check_options

ALL = {**INFER, **BATCH, **TRAIN}
CODE = "$__import__('os').system('true')"


class TestOptions:
    def test_what_is_not_known_is_left_out(self):
        request = {
            "image": "/etc/passwd",
            "model_filename": "../x.pt",
            "run_id": CODE,
            "tracking": CODE,
            "max_epochs": 3,
        }
        assert check_options(request, TRAIN) == {"max_epochs": 3}

    @pytest.mark.parametrize("key", sorted(ALL))
    @pytest.mark.parametrize(
        "value", [CODE, "@device", "%train", {"_target_": "os.system"}, [{}], -1e9, float("nan"), ""]
    )
    def test_code_and_wrong_types_are_refused(self, key, value):
        if key == "images" and isinstance(value, str):
            return  # the name of no image
        with pytest.raises(RequestError, match=key if key != "label_tag" else "tag") as error:
            check_options({key: value}, ALL)
        assert error.value.status == 400

    @given(st.sampled_from(sorted(set(ALL) - {"images"})), st.text())
    def test_no_text_that_a_config_would_run_passes(self, key, text):
        try:
            checked = check_options({key: "$" + text}, ALL)
        except RequestError:
            return
        assert checked == {}

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("max_epochs", 1),
            ("steps_per_epoch", 7),
            ("val_split", 0),
            ("pretrained", False),
            ("result_extension", ".nii.gz"),
            ("level", 0),
            ("location", [-40, -30]),
            ("size", [0, 60]),
            ("images", ["a", "b"]),
            ("images", "unlabeled"),
            ("label_tag", "original"),
        ],
    )
    def test_what_clients_send(self, key, value):
        assert check_options({key: value}, ALL) == {key: value}

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("max_epochs", 0),
            ("max_epochs", True),
            ("max_epochs", 2.0),
            ("val_split", 1),
            ("val_split", -1),
            ("size", [-1, 5]),
            ("steps_per_epoch", 0),
            ("location", [1]),
            ("location", 5),
            ("pretrained", 1),
            ("images", [1]),
        ],
    )
    def test_values_out_of_range(self, key, value):
        with pytest.raises(RequestError, match=key):
            check_options({key: value}, ALL)

    def test_a_list_of_choices_stands_for_its_first(self):
        assert check_options({"result_extension": [".png", ".tif"], "pretrained": []}, ALL) == {
            "result_extension": ".png"
        }

    @pytest.mark.parametrize("extension", [{}, {"result_extension": None}, {"result_extension": ".png"}])
    def test_a_type_that_png_lacks(self, extension):
        with pytest.raises(RequestError, match="result_dtype: PNG has no float32"):
            check_options({"result_dtype": "float32", **extension}, INFER)
        assert check_options({"result_dtype": "uint16", **extension}, INFER)["result_dtype"] == "uint16"
        assert (
            check_options({"result_dtype": "float32", "result_extension": ".tif"}, INFER)["result_dtype"] == "float32"
        )
