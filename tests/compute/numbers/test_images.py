"""Images: grey values as the eye sees them, and no pixel decoded of one that is too large."""

import warnings

import numpy as np
import pytest
from PIL import Image

from compute.numbers.files import read_matrix
from helpers.foreign_files import GRADIENT, image, png_of_size, refusal, short

GREY = 1 / 255 + 1e-9  # one step of an eight-bit grey, which spans 2 / 255, either way by half


@pytest.mark.parametrize(
    ("ending", "kind", "options"),
    [
        ("png", "PNG", {}),
        ("bmp", "BMP", {}),
        ("gif", "GIF", {}),
        ("webp", "WEBP", {"lossless": True}),
    ],
)
def test_grey_images_are_read_from_minus_one_to_one(ending, kind, options):
    matrix = read_matrix(f"a.{ending}", image(Image.fromarray(GRADIENT), kind, **options))
    np.testing.assert_allclose(matrix, GRADIENT / 127.5 - 1, atol=GREY)


@pytest.mark.parametrize("ending", ["jpg", "jpeg"])
def test_jpeg_is_read_with_its_losses(ending):
    smooth = Image.fromarray(GRADIENT).resize((80, 48), Image.Resampling.BILINEAR)
    matrix = read_matrix(f"a.{ending}", image(smooth, "JPEG", quality=95))
    assert np.abs(matrix - (np.asarray(smooth) / 127.5 - 1)).max() < 0.1  # twelve grey steps


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA"])
def test_black_is_minus_one_and_white_is_one_in_every_mode(mode):
    picture = Image.new("L", (3, 2), 0)
    picture.putpixel((2, 0), 255)
    matrix = read_matrix("a.png", image(picture.convert(mode)))
    np.testing.assert_array_equal(matrix, [[-1, -1, 1], [-1, -1, -1]])


def test_sixteen_bits_keep_their_steps():
    levels = np.array([[0, 1, 32768], [65534, 65535, 257]], dtype=np.uint16)
    matrix = read_matrix("a.png", image(Image.fromarray(levels)))
    np.testing.assert_allclose(matrix, levels / 32767.5 - 1, rtol=1e-15)


def test_colours_are_weighed_as_the_eye_does():
    picture = Image.new("RGB", (2, 2))
    for place, colour in {(0, 0): (255, 0, 0), (1, 0): (0, 255, 0), (0, 1): (0, 0, 255)}.items():
        picture.putpixel(place, colour)
    expected = 2 * np.array([[0.299, 0.587], [0.114, 0]]) - 1
    np.testing.assert_allclose(read_matrix("a.png", image(picture)), expected, atol=GREY)


def test_transparency_is_laid_over_white():
    clear, half = Image.new("RGBA", (2, 2), (0, 0, 0, 0)), Image.new("RGBA", (2, 2), (0, 0, 0, 128))
    np.testing.assert_array_equal(read_matrix("a.png", image(clear)), np.ones((2, 2)))
    np.testing.assert_allclose(read_matrix("a.png", image(half)), 1 - 2 * 128 / 255, atol=2 * GREY)
    palette = Image.new("P", (2, 2), 0)
    palette.putpalette([0, 0, 0, 0, 0, 0])
    palette.putpixel((1, 1), 1)
    matrix = read_matrix("a.gif", image(palette, "GIF", transparency=0))
    np.testing.assert_array_equal(matrix, [[1, 1], [1, -1]])


def test_a_photo_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise
    matrix = read_matrix("a.png", image(Image.fromarray(GRADIENT), exif=exif))
    np.testing.assert_allclose(matrix, np.rot90(GRADIENT, -1) / 127.5 - 1, atol=GREY)


def test_of_an_animation_the_first_frame_is_read():
    frames = [Image.new("L", (3, 3), level) for level in (0, 255)]
    data = image(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(read_matrix("a.gif", data), -np.ones((3, 3)))


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.png", png_of_size(5000, 10), "10 rows and 5,000 columns; 2 to 4096"),
        ("a.png", png_of_size(10_000, 10_000), "4096 pixels on a side"),  # Pillow warns: an error here
        ("a.png", png_of_size(60_000, 60_000), "4096 pixels on a side"),  # Pillow's own limit
        ("a.png", png_of_size(1, 9), "9 rows and 1 column"),
        ("a.png", png_of_size(20, 20), "damaged or cut short"),
        ("a.png", image(Image.fromarray(GRADIENT))[:55], "damaged or cut short"),
        ("a.jpg", image(Image.fromarray(GRADIENT), "JPEG")[:-30], "damaged or cut short"),
        ("a.bmp", image(Image.fromarray(GRADIENT), "BMP")[:-30], "damaged or cut short"),
        ("a.png", image(Image.fromarray(GRADIENT), "GIF"), "no PNG image, or its header is damaged"),
        ("a.gif", b"GIF89a", "no GIF image, or its header is damaged"),
        ("a.jpeg", b"%!PS-Adobe-3.0 EPSF-3.0\n", "no JPEG image"),
    ],
    ids=short,
)
def test_images_that_are_none_are_refused(name, data, said):
    assert said in refusal(read_matrix, name, data)


def test_a_bomb_is_refused_also_where_warnings_are_none():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert "10,000 rows and 10,000 columns" in refusal(read_matrix, "a.png", png_of_size(10_000, 10_000))
