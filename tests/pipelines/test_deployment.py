"""The deployment that prefect.yaml names does what the plain command does, with the commands of
docs/operations.md.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.factories.prefect_server import PrefectServer
from tests.factories.runs import dancemill, files_of
from tests.factories.videos import write_numbered_video

pytestmark = pytest.mark.slow


def test_a_deployment_run_gives_the_bytes_of_the_plain_command(
    prefect_server: PrefectServer, tmp_path: Path
) -> None:
    video = write_numbered_video(tmp_path / "video.mp4", count=36, fps=12)
    prefect_server.call("work-pool", "create", "dancemill", "--type", "process")
    prefect_server.call("--no-prompt", "deploy", "--all")
    prefect_server.start("worker", "start", "--pool", "dancemill")
    out = tmp_path / "deployed"
    prefect_server.call(
        *("deployment", "run", "extract-poses/extract-poses", "--watch", "--watch-timeout", "110"),
        *("--param", f"inputs={json.dumps([str(video)])}", "--param", f"out={out}"),
        *("--param", "min_found=0", "--param", "clip_seconds=1", "--param", "body_model=none"),
    )
    deployed = {"deployment_id": {"is_null_": False}}
    (summary,) = prefect_server.found("artifacts", flow_runs=deployed)
    assert "| clips | 3 | 0 | 0 | 0 |" in summary["data"]
    direct = dancemill(
        [
            *("extract", str(video), "--out", str(tmp_path / "direct")),
            *("--min-found", "0", "--clip-seconds", "1", "--body-model", "none"),
        ],
        prefect_server.home,
    )
    assert direct.code == 0, direct.stderr
    assert files_of(out) == files_of(tmp_path / "direct")
