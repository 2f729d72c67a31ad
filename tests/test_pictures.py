"""Pictures: where they are taken from, where they are written, and where not."""

from collections.abc import Awaitable, Callable
import os
from pathlib import Path
from typing import override

from homeassistant.components.media_source import (
    MediaSource,
    MediaSourceItem,
    PlayMedia,
)
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import (
    MockModule,
    MockPlatform,
    mock_integration,
    mock_platform,
)

from custom_components.sms_italia.pictures import read_picture, save_picture
from custom_components.sms_italia.providers import Picture
from custom_components.sms_italia.providers.pictures import plain_filename

from .media import (
    CAMERA,
    IMAGE,
    JPEG,
    PNG,
    set_up_camera,
    set_up_image,
    set_up_media,
)

SENT = Picture(content=JPEG, filename="picture.jpg", content_type="image/jpeg")

type SetUp = Callable[[HomeAssistant, bytes | None], Awaitable[None]]


async def refusal(work: Awaitable[object]) -> HomeAssistantError:
    """Return the error that something ends with."""
    with pytest.raises(HomeAssistantError) as caught:
        await work
    return caught.value


def write(hass: HomeAssistant, name: str, content: bytes) -> Path:
    """Write a file into the configuration folder."""
    path = Path(hass.config.path(name))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


# Reading


@pytest.mark.parametrize(
    "given", [CAMERA, f"media-source://camera/{CAMERA}", f"media-source://{CAMERA}"]
)
async def test_a_camera_gives_the_picture_of_this_moment(
    hass: HomeAssistant, given: str
) -> None:
    """By its entity id, or as the media selector names it."""
    await set_up_camera(hass)
    if given == f"media-source://{CAMERA}":
        error = await refusal(read_picture(hass, given))
        assert error.translation_key == "picture_not_found"
        return

    picture = await read_picture(hass, given)

    assert (picture.content, picture.content_type) == (JPEG, "image/jpeg")
    assert plain_filename(picture) == "cortile.jpg"


@pytest.mark.parametrize("given", [IMAGE, f"media-source://image/{IMAGE}"])
async def test_an_image_entity_gives_what_it_shows(
    hass: HomeAssistant, given: str
) -> None:
    """Its type is what its bytes say."""
    await set_up_image(hass)

    picture = await read_picture(hass, given)

    assert (picture.content, picture.content_type) == (PNG, "image/png")
    assert plain_filename(picture) == "planimetria.png"


@pytest.mark.parametrize(
    ("given", "set_up"), [(CAMERA, set_up_camera), (IMAGE, set_up_image)]
)
async def test_an_entity_that_shows_nothing_is_named(
    hass: HomeAssistant, given: str, set_up: SetUp
) -> None:
    """Whether it is not there at all or has no picture now; nothing is wrong with it.

    A camera may be offline for a minute.
    """
    for step in ("nothing set up", "no picture"):
        error = await refusal(read_picture(hass, given))
        assert type(error) is HomeAssistantError, step
        assert error.translation_key == "picture_unavailable"
        assert error.translation_placeholders == {"entity": given}
        if step == "nothing set up":
            await set_up(hass, None)
    error = await refusal(read_picture(hass, f"{given}_2"))
    assert error.translation_placeholders == {"entity": f"{given}_2"}


async def test_a_file_of_the_media_is_read(hass: HomeAssistant) -> None:
    """By its media content id."""
    folder = await set_up_media(hass)
    (folder / "casa.png").write_bytes(PNG)

    picture = await read_picture(hass, "media-source://media_source/local/casa.png")

    assert (picture.content, picture.content_type) == (PNG, "image/png")
    assert plain_filename(picture) == "casa.png"


@pytest.mark.parametrize(
    "given",
    [
        "media-source://media_source/local/altro.png",
        "media-source://media_source/local/../secrets.yaml",
        "media-source://media_source/local/senza_tipo",
        "media-source://media_source/nessuna/casa.png",
        "media-source://nessuno/casa.png",
        "media-source://",
    ],
)
async def test_media_that_are_not_there_are_named(
    hass: HomeAssistant, given: str
) -> None:
    """Or one outside the allowed folders."""
    folder = await set_up_media(hass)
    (folder.parent / "secrets.yaml").write_bytes(PNG)

    error = await refusal(read_picture(hass, given))

    assert isinstance(error, ServiceValidationError)
    assert error.translation_key == "picture_not_found"
    assert error.translation_placeholders == {"picture": given}


class Elsewhere(MediaSource):
    """Media on another server."""

    @override
    async def async_resolve_media(self, item: MediaSourceItem) -> PlayMedia:
        """Return an address."""
        return PlayMedia("https://example.org/casa.png", "image/png")


async def test_media_without_a_file_are_refused(hass: HomeAssistant) -> None:
    """Nothing is fetched from anywhere."""

    async def async_get_media_source(_hass: HomeAssistant) -> MediaSource:
        return Elsewhere("altrove")

    platform = MockPlatform()
    platform.async_get_media_source = async_get_media_source
    mock_integration(hass, MockModule("altrove"))
    mock_platform(hass, "altrove.media_source", platform)
    assert await async_setup_component(hass, "altrove", {})
    await set_up_media(hass)

    error = await refusal(read_picture(hass, "media-source://altrove/casa.png"))

    assert isinstance(error, ServiceValidationError)
    assert error.translation_key == "picture_not_local"


async def test_without_the_media_a_media_id_is_refused(hass: HomeAssistant) -> None:
    """They may not be set up at all."""
    given = "media-source://media_source/local/casa.png"

    error = await refusal(read_picture(hass, given))

    assert error.translation_key == "picture_not_found"


@pytest.mark.parametrize("given", ["media/casa.png", "www/casa.png"])
@pytest.mark.parametrize("is_absolute", [False, True])
async def test_a_file_of_an_allowed_folder_is_read(
    hass: HomeAssistant,
    given: str,
    is_absolute: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """A relative path begins in the configuration folder."""
    await set_up_media(hass)
    path = write(hass, given, PNG)

    picture = await read_picture(hass, str(path) if is_absolute else given)

    assert picture.content == PNG


@pytest.mark.parametrize(
    "given",
    ["secrets.yaml", "media/../secrets.yaml", "media/legame.png", "/etc/passwd"],
)
async def test_no_file_outside_the_allowed_folders_is_read(
    hass: HomeAssistant, given: str
) -> None:
    """Neither by going up, nor by a link that leads out."""
    folder = await set_up_media(hass)
    secrets = write(hass, "secrets.yaml", PNG)
    (folder / "legame.png").symlink_to(secrets)

    error = await refusal(read_picture(hass, given))

    assert isinstance(error, ServiceValidationError)
    assert error.translation_key == "path_not_allowed"
    assert error.translation_placeholders == {"path": given}


SECRET = "Segreto1"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (f"http://admin:{SECRET}@cam/snap.jpg?pwd={SECRET}", "http://…"),
        (f"HTTP://cam/{SECRET}/snap.jpg", "HTTP://…"),
        (f"rtsp://admin:{SECRET[:4]}/{SECRET[4:]}?{SECRET}@cam", "rtsp://…"),
        (f"admin:{SECRET}@cam/snap.jpg", "…"),
        (f"{SECRET}@cam/snap.jpg", "…"),
        (f"admin:a/{SECRET}@cam", "…"),
        (f"cam/snap.jpg?token={SECRET}", "cam/snap.jpg…"),
        (f"data:image/png;base64,{SECRET}", "data:…"),
        (
            f"media-source://tts/prova?message={SECRET}",
            "media-source://tts/prova…",
        ),
        (f"/srv/a@2x.png?{SECRET}", "/srv/a@2x.png…"),
        ("/srv/18:44:09.png", "/srv/18:44:09.png"),
        ("/srv/\ud83d.png", "/srv/�.png"),
        ("/srv/" + "x" * 3_000_000, "/srv/" + "x" * 250 + "…"),
        (":" * 3_000_000, ":" * 255 + "…"),
    ],
    ids=lambda one: ascii(one[:40]),
)
async def test_an_error_names_a_picture_without_secrets_and_in_few_words(
    hass: HomeAssistant, given: str, named: str
) -> None:
    """Whatever was given: errors are logged, and kept until somebody sees them."""
    # Without a media folder a picture cannot be saved under a relative name either.
    hass.config.media_dirs = {}
    for work in (read_picture(hass, given), save_picture(hass, given, SENT)):
        error = await refusal(work)
        placeholders = error.translation_placeholders or {}
        assert (placeholders.get("path") or placeholders["picture"]) == named


@pytest.mark.parametrize(
    "given",
    [
        "media/altro.png",
        "media",
        "media/coda",
        "media/cerchio",
        "media/\x00.png",
        f"media/{'x' * 5000}",
    ],
    ids=["missing", "folder", "pipe", "loop", "null", "long"],
)
async def test_a_path_without_a_file_is_named(hass: HomeAssistant, given: str) -> None:
    """A folder is not a file, nor is a pipe, which would never end."""
    folder = await set_up_media(hass)
    os.mkfifo(folder / "coda")
    (folder / "cerchio").symlink_to("cerchio")

    error = await refusal(read_picture(hass, given))

    assert isinstance(error, ServiceValidationError)
    assert error.translation_key == "picture_not_found"


async def test_a_file_that_cannot_be_read_is_named(hass: HomeAssistant) -> None:
    """The memory of a process cannot be read, although it is a file."""
    hass.config.allowlist_external_dirs = {"/proc"}

    error = await refusal(read_picture(hass, "/proc/self/mem"))

    assert isinstance(error, ServiceValidationError)
    assert error.translation_key == "picture_not_found"


async def test_what_is_no_picture_has_no_type_of_one(hass: HomeAssistant) -> None:
    """Whatever its name says; the account's provider refuses it for that."""
    folder = await set_up_media(hass)
    (folder / "finta.jpg").write_bytes(b"<script>")

    picture = await read_picture(hass, "media/finta.jpg")

    assert picture.content_type == "application/octet-stream"


async def test_a_huge_file_is_not_read_to_its_end(hass: HomeAssistant) -> None:
    """A film of an hour would fill the memory before anybody refused it."""
    folder = await set_up_media(hass)
    with (folder / "film.jpg").open("wb") as file:
        file.write(JPEG)
        file.truncate(10 * 1024**3)

    picture = await read_picture(hass, "media/film.jpg")

    assert len(picture.content) == 16 * 1024**2 + 1


# Writing


@pytest.mark.parametrize(
    ("filename", "written"),
    [
        ("cortile.jpg", "cortile.jpg"),
        ("cortile.JPEG", "cortile.JPEG"),
        ("cortile", "cortile.jpg"),
        ("cortile.png", "cortile.png.jpg"),
        ("pagina.html", "pagina.html.jpg"),
        # Types that Python finds in these names.
        ("cortile.jpg.gz", "cortile.jpg.gz.jpg"),
        ("data:image_jpeg,cortile.sh", "data:image_jpeg,cortile.sh.jpg"),
        ("cortile.jpe", "cortile.jpe.jpg"),
        ("allarmi/2026/cortile", "allarmi/2026/cortile.jpg"),
        ("allarmi/../cortile.jpg", "cortile.jpg"),
    ],
)
async def test_a_picture_is_written_into_the_media(
    hass: HomeAssistant, filename: str, written: str
) -> None:
    """Under a name with its type, in folders that are created if need be."""
    folder = await set_up_media(hass)

    saved = await save_picture(hass, filename, SENT)

    assert saved.path == folder / written
    assert saved.path.read_bytes() == JPEG
    assert saved.media_content_id == f"media-source://media_source/local/{written}"
    again = await read_picture(hass, saved.media_content_id)
    assert again.content == JPEG


async def test_a_picture_is_written_into_an_allowed_folder(hass: HomeAssistant) -> None:
    """By its full path; it is no medium then."""
    await set_up_media(hass)
    path = hass.config.path("www/allarmi/cortile.jpg")

    saved = await save_picture(hass, path, SENT)

    assert saved.path == Path(path)
    assert saved.path.read_bytes() == JPEG
    assert saved.media_content_id is None


@pytest.mark.parametrize(
    "filename",
    [
        "../cortile.jpg",
        "../www/cortile.jpg",
        "allarmi/../../cortile.jpg",
        "fuori/cortile.jpg",
        "/etc/cortile.jpg",
    ],
)
async def test_no_picture_is_written_anywhere_else(
    hass: HomeAssistant, filename: str
) -> None:
    """Neither by going up, nor by a link that leads out."""
    folder = await set_up_media(hass)
    (folder / "fuori").symlink_to(folder.parent)

    error = await refusal(save_picture(hass, filename, SENT))

    assert isinstance(error, ServiceValidationError)
    assert error.translation_key == "path_not_allowed"
    assert list(folder.parent.glob("*.jpg")) == []


async def test_nothing_is_overwritten(hass: HomeAssistant) -> None:
    """The file stays as it is."""
    folder = await set_up_media(hass)
    (folder / "cortile.jpg").write_bytes(PNG)
    (folder / "altro.jpg").mkdir()

    for filename in ("cortile", "cortile.jpg", "altro.jpg"):
        error = await refusal(save_picture(hass, filename, SENT))

        assert isinstance(error, ServiceValidationError)
        assert error.translation_key == "file_exists"
    assert (folder / "cortile.jpg").read_bytes() == PNG


@pytest.mark.parametrize("filename", ["cortile.jpg/altro.jpg", "x" * 300, "a\x00b", ""])
async def test_a_picture_that_cannot_be_written_is_an_error(
    hass: HomeAssistant, filename: str
) -> None:
    """With the reason in a word."""
    folder = await set_up_media(hass)
    (folder / "cortile.jpg").write_bytes(PNG)

    error = await refusal(save_picture(hass, filename, SENT))

    assert type(error) is HomeAssistantError
    assert error.translation_key == "picture_not_saved"
    assert (error.translation_placeholders or {})["detail"].endswith("Error")


async def test_without_a_media_folder_only_full_paths_will_do(
    hass: HomeAssistant,
) -> None:
    """The user may have configured none."""
    await set_up_media(hass)
    hass.config.media_dirs = {}

    error = await refusal(save_picture(hass, "cortile.jpg", SENT))

    assert error.translation_key == "path_not_allowed"
    path = hass.config.path("www/cortile.jpg")
    assert (await save_picture(hass, path, SENT)).path == Path(path)
