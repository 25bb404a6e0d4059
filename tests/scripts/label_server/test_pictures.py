"""Images and labels that callers send."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image

from scripts.label_server.app.lib import pictures
from scripts.label_server.app.lib.names import RequestError
from scripts.label_server.app.lib.pictures import check_image, check_label, image_size

SIZE = (5, 8)
TWO, THREE = ("membrane", "cell"), ("ground", "body", "core")
MASK = np.zeros(SIZE, np.uint8)
MASK[1:3, 2:7] = 255


def save(file, array):
    """Write an array (H, W) or (H, W, 3) by the file's ending."""
    if file.name.lower().endswith(".nii.gz"):
        nibabel.save(nibabel.nifti1.Nifti1Image(array.T[:, :, None], np.eye(4)), file)
    elif file.suffix.lower() in (".tif", ".btf"):
        tifffile.imwrite(file, array, bigtiff=file.suffix == ".btf")
    else:
        Image.fromarray(array).save(file)
    return file


class TestImages:
    @pytest.mark.parametrize("name", ["a.png", "a.TIF", "a.btf", "a.bmp", "a.jpg", "a.NII.GZ"])
    def test_height_and_width(self, tmp_path, name):
        assert check_image(save(tmp_path / name, MASK), name) == SIZE

    def test_a_photograph_is_turned_as_viewers_show_it(self, tmp_path):
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(MASK).save(tmp_path / "a.jpg", exif=exif)
        assert image_size(tmp_path / "a.jpg", "a") == SIZE[::-1]

    def test_channels_are_no_pages(self, tmp_path):
        planes = np.zeros((2, 5, 7), np.uint8)
        tifffile.imwrite(tmp_path / "a.tif", planes, ome=True, photometric="minisblack", metadata={"axes": "CYX"})
        assert image_size(tmp_path / "a.tif", "a") == (5, 7)

    def test_pages_are_channels_if_the_command_line_says_so(self, tmp_path):
        tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, *SIZE), np.uint8), photometric="minisblack", metadata=None)
        assert image_size(tmp_path / "a.tif", "a", "CYX") == SIZE
        with pytest.raises(RequestError, match="has 4 pages"):
            image_size(tmp_path / "a.tif", "a", "ZYX")

    def test_several_pages_are_refused(self, tmp_path):
        tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, *SIZE), np.uint8), photometric="minisblack")
        with pytest.raises(RequestError, match="a: has 4 pages; send one file for each"):
            image_size(tmp_path / "a.tif", "a")

    @pytest.mark.parametrize("name", ["a.png", "a.tif", "a.nii.gz", "a.jpg"])
    def test_what_is_no_image_is_refused_without_a_path(self, tmp_path, name):
        (tmp_path / name).write_bytes(b"no image")
        with pytest.raises(RequestError) as error:
            image_size(tmp_path / name, "sent")
        assert error.value.detail.startswith("sent: truncated, corrupt or not an image")
        assert str(tmp_path) not in error.value.detail

    def test_a_small_file_that_unpacks_to_a_huge_image_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr(pictures, "MOST_PIXELS", 39)
        with pytest.raises(RequestError, match="5 x 8 pixels") as error:
            check_image(save(tmp_path / "a.png", MASK), "a")
        assert error.value.status == 413


class TestLabels:
    @pytest.mark.parametrize("name", ["a.png", "a.btf", "a.bmp", "a.nii.gz"])
    @pytest.mark.parametrize("value", [0, 1, 255])
    def test_masks_of_one_value(self, tmp_path, name, value):
        check_label(save(tmp_path / name, np.where(MASK > 0, value, 0).astype(np.uint8)), name, SIZE, TWO)

    def test_a_gray_mask_saved_as_colours(self, tmp_path):
        check_label(save(tmp_path / "a.png", np.stack([MASK] * 3, axis=-1)), "a", SIZE, TWO)

    @pytest.mark.parametrize("size", [(8, 5), (5, 7), (10, 16)])
    @pytest.mark.parametrize("name", ["a.png", "a.nii.gz"])
    def test_another_size_is_refused(self, tmp_path, name, size):
        message = rf"5 x 8 pixels \(height x width\), the image has {size[0]} x {size[1]}"
        with pytest.raises(RequestError, match=message):
            check_label(save(tmp_path / name, MASK), name, size, TWO)

    def test_colours_are_refused(self, tmp_path):
        with pytest.raises(RequestError, match="has colours"):
            check_label(save(tmp_path / "a.png", np.stack([MASK, MASK, 0 * MASK], axis=-1)), "a", SIZE, TWO)

    @pytest.mark.parametrize("factor", [0.5, -1, np.nan])
    def test_fractions_and_negative_numbers_are_refused(self, tmp_path, factor):
        array = np.where(MASK > 0, factor, 0).astype(np.float32)
        with pytest.raises(RequestError, match="fractions or negative numbers"):
            check_label(save(tmp_path / "a.tif", array), "a", SIZE, TWO)

    def test_more_values_than_the_model_has_classes(self, tmp_path):
        mask = MASK.copy()
        mask[4, 7] = 3
        save(tmp_path / "a.png", mask)
        with pytest.raises(RequestError, match="has 2 values besides 0; give 0 membrane, any other one cell"):
            check_label(tmp_path / "a.png", "a", SIZE, TWO)

    def test_of_more_classes_values_are_their_numbers(self, tmp_path):
        mask = np.where(MASK > 0, np.uint8(2), np.uint8(0))
        mask[4, 5:7] = 1, 255
        check_label(save(tmp_path / "a.png", mask), "a", SIZE, THREE)
        for value in (3, 254):
            mask[0, 0] = value
            with pytest.raises(RequestError, match=f"the value {value}; give 0 ground, 1 body, 2 core, or 255 where"):
                check_label(save(tmp_path / "a.png", mask), "a", SIZE, THREE)

    def test_half_a_file_is_refused(self, tmp_path):
        noise = np.random.default_rng(1).integers(0, 2, (50, 80), np.uint8)
        content = save(tmp_path / "a.png", noise).read_bytes()
        (tmp_path / "a.png").write_bytes(content[: len(content) // 2])
        with pytest.raises(RequestError, match="truncated"):
            check_label(tmp_path / "a.png", "a", (50, 80), TWO)
