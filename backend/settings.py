"""Every setting of the web process, in one place."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args
from urllib.parse import urlsplit

from backend.launchers import launcher_class, launcher_names
from backend.quotas import Limits
from cdsp_core.storage.opening import open_storage
from cdsp_core.storage.place import StorageUrlError

DeviceName = Literal["auto", "cpu", "cuda"]
DataName = Literal["embedded", "full"]
RoleName = Literal["owner", "viewer"]
DATA_GIB: Final = 20.0
MOST_OF_A_NODE: Final = 1024
"""CPUs or GPUs that a worker may ask for"""


class SettingsError(ValueError):
    """A setting cannot work; the message is one sentence and a way out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How the backend runs. `python -m backend --help` names the options, each has an environment variable."""

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8000
    launcher: str = "local"
    """one of `backend.launchers`"""
    published: str | None = None
    """the address through which others reach `host`, where a container publishes it; None: `host` itself"""
    token: str | None = None
    """people and programs that use the API or the page present it; needed on any address but loopback"""
    viewer_token: str | None = None
    """people who may only watch present it; None: whoever may come in may steer"""
    worker_token: str | None = None
    """workers present it; None: the one in `worker_token_file`, made when there is none"""
    worker_token_file: Path | None = None
    """None: worker.token in the data folder"""
    allowed_hosts: tuple[str, ...] = ()
    """NAME:PORT pairs a browser may use for this server, beside the loopback names"""
    autostart: bool = True
    with_page: bool = True
    device: DeviceName = "auto"
    data: DataName = "embedded"
    data_root: Path | None = None
    recorded_dir: Path = Path(__file__).resolve().parents[1] / "docs" / "recorded"
    """recorded runs that the page shows"""

    storage: str | None = None
    """URL of what keeps the checkpoints of new runs, and maps and recordings; None: the data folder does"""
    ray_address: str | None = None
    """of launcher `ray`: HOST:PORT or auto; None: a cluster of its own on this machine's loopback"""
    role: RoleName = "owner"
    """owner: keeps runs and their history; viewer: shows another's, by `fanout` and `owner`"""
    fanout: str | None = None
    """address of the Redis through which runs reach viewer processes; None: there are none"""
    owner: str = "http://127.0.0.1:8000"
    """of role viewer: where the owner of the runs answers"""
    worker_cpus: float = 1.0
    """what launcher `ray` asks of the cluster for each worker"""
    worker_gpus: float = 0.0
    """likewise; 0.25 lets four share a GPU"""
    local_workers: int = 2
    """processes of the `local` launcher; further runs wait"""
    max_restarts: int = 5
    """times a run whose worker died is begun again from its last checkpoint, less one for every checkpoint since"""
    worker_grace_s: float = 65.0
    """seconds in which a worker whose link was lost may come back; it gives up itself after 60"""
    moved_after_s: float = 4.0
    """seconds without a link to a worker elsewhere after which another may take its run; one that lives needs 1"""
    silent_after_s: float = 15.0
    """seconds without a sign of a worker's main loop after which people are told"""
    replaced_after_s: float = 45.0
    """seconds without a sign of a worker's main loop after which another takes its run"""
    restart_wait_s: float = 1.0
    """seconds before the second restart in a row without a new checkpoint; they double with every further one"""
    survivor_grace_s: float = 3.0
    """seconds after the start in which a worker of an earlier backend may report"""
    command_timeout_s: float = 10.0
    start_timeout_s: float = 60.0
    limits: Limits = field(default_factory=Limits)
    """of one address"""
    memory_mib: int | None = None
    """what a run's model and batch may need by estimate; None: this machine's memory where workers share it"""
    max_active_runs: int = 200
    """runs that train or wait; a further one is refused"""
    frames_mib_a_run: int = 256
    """frames kept on disk for a run before every other old one is dropped; scalars and events always stay"""
    scalars_mib_a_run: int = 64
    """scalars kept on disk for a run before every other row of the older half is dropped"""
    data_gib: float = DATA_GIB
    """the whole data folder's cap; beyond it the oldest ended runs go that nobody has kept"""
    stored_after_s: float = 0.2
    """seconds that writes are gathered before they go to disk together"""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"--port must be from 0 to 65535. Found {self.port}.")
        for name, value, choices in (
            ("launcher", self.launcher, launcher_names()),
            ("device", self.device, get_args(DeviceName)),
            ("data", self.data, get_args(DataName)),
            ("role", self.role, get_args(RoleName)),
        ):
            if value not in choices:
                listed = ", ".join(choices)
                raise SettingsError(f"--{name} (CDSP_{name.upper()}) must be one of {listed}. Found {value!r}.")
        if self.storage is not None:
            self._check_storage(self.storage)
        if self.ray_address is not None and self.launcher != "ray":
            raise SettingsError(f"--ray-address (CDSP_RAY_ADDRESS) needs --launcher ray. Found {self.launcher}.")
        if self.role == "viewer" and self.fanout is None:
            raise SettingsError("--role viewer needs --fanout redis://HOST:PORT (CDSP_FANOUT), where runs come from.")
        if not is_origin(self.owner):
            raise SettingsError(f"--owner (CDSP_OWNER) must be like http://127.0.0.1:8000. Found {self.owner[:60]!r}.")
        if not 0 < self.worker_cpus <= MOST_OF_A_NODE:
            raise SettingsError(
                f"--worker-cpus must be a number above 0, at most {MOST_OF_A_NODE}. Found {self.worker_cpus:g}."
            )
        if not (0 <= self.worker_gpus <= 1 or self.worker_gpus == int(self.worker_gpus) <= MOST_OF_A_NODE):
            raise SettingsError(
                f"--worker-gpus must be a share from 0 to 1 or a whole number. Found {self.worker_gpus:g}."
            )
        if not 0 < self.data_gib < 1e6:
            raise SettingsError(f"CDSP_DATA_GIB must be a number above 0. Found {self.data_gib:g}.")
        if self.data == "full" and not self.may_have_full_data:
            raise SettingsError("--data full needs --data-root (CDSP_DATA_ROOT), where the full sets are. Found none.")
        if not is_loopback(self.published or self.host) and not self.token:
            raise SettingsError(
                f"{self.published or self.host} can be reached from other machines, so it needs a token: "
                "set CDSP_TOKEN to a long random string, or use 127.0.0.1."
            )
        for name, token in (("CDSP_TOKEN", self.token), ("CDSP_VIEWER_TOKEN", self.viewer_token)):
            if token is not None and len(token) < 16:
                raise SettingsError(f"{name} must have at least 16 characters. Found {len(token)}.")
            if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
                raise SettingsError(f"{name} must be letters, digits and signs of ASCII, without spaces. Found others.")
            if token is not None and token == self.worker_token:
                raise SettingsError(f"{name} and CDSP_WORKER_TOKEN must differ. Found the same.")
        if self.viewer_token is not None and self.token is None:
            raise SettingsError("CDSP_VIEWER_TOKEN needs CDSP_TOKEN, for those who steer. Found none.")
        if self.viewer_token is not None and self.viewer_token == self.token:
            raise SettingsError("CDSP_TOKEN and CDSP_VIEWER_TOKEN must differ. Found the same.")
        if self.worker_token is not None and len(self.worker_token) < 16:
            raise SettingsError(f"CDSP_WORKER_TOKEN must have at least 16 characters. Found {len(self.worker_token)}.")
        for pair in self.allowed_hosts:
            if not pair or "/" in pair or " " in pair:
                raise SettingsError(f"CDSP_ALLOWED_HOSTS must be names like lab.example:8000. Found {pair!r}.")

    def _check_storage(self, url: str) -> None:
        try:
            found = open_storage(url)
        except StorageUrlError as error:
            raise SettingsError(f"--storage (CDSP_STORAGE): {error}") from None
        if found.url == str(self.data_dir.resolve()):
            raise SettingsError(f"--storage must be another folder than the data folder. Found {url} twice.")

    @property
    def may_have_full_data(self) -> bool:
        """Whether workers can find the full sets: those of this machine in `data_root`, others where they know."""
        return not launcher_class(self.launcher).same_machine or self.data_root is not None

    @property
    def checkpoint_dir(self) -> Path:
        """Folder of all checkpoints, one folder a run inside; shared with the workers."""
        return self.data_dir / "checkpoints"

    @property
    def study_dir(self) -> Path:
        """Folder of the studies' results; shared with the workers."""
        return self.data_dir / "studies"

    @property
    def dataset_dir(self) -> Path:
        """Folder of own data, sources and sets that are made of them; shared with the workers."""
        return self.data_dir / "datasets"

    @property
    def sweep_dir(self) -> Path:
        """Folder of the maps that are trained here, one folder a map inside."""
        return self.data_dir / "sweeps"

    @property
    def own_recorded_dir(self) -> Path:
        """Folder of recorded runs that the storage holds, beside those that come with the program."""
        return self.data_dir / "recorded"

    @property
    def hosts(self) -> frozenset[str]:
        """Values of the Host header that are this server."""
        own = {f"{name}:{self.port}" for name in ("127.0.0.1", "localhost", "[::1]")}
        own |= {name.removesuffix(":80") for name in own if name.endswith(":80")}
        reached = self.published or self.host
        if not is_loopback(reached) and reached not in ("0.0.0.0", "::"):
            own.add(f"[{reached}]:{self.port}" if ":" in reached else f"{reached}:{self.port}".lower())
        return frozenset(own | {name.lower() for name in self.allowed_hosts})

    @property
    def origins(self) -> frozenset[str]:
        """Values of the Origin header that are this server's own pages."""
        return frozenset(f"{scheme}://{host}" for scheme in ("http", "https") for host in self.hosts)

    @property
    def address(self) -> str:
        """Where a browser on this machine finds the page."""
        name = "127.0.0.1" if self.host in ("0.0.0.0", "::", "127.0.0.1") else self.host
        return f"http://{f'[{name}]' if ':' in name else name}:{self.port}/"


def is_origin(url: str) -> bool:
    """Whether this is scheme, host and port of a web server, and nothing more."""
    try:
        return re.fullmatch(r"https?://[^/@\s?#]+", url) is not None and urlsplit(url).port != 0
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
