"""How commands talk to a running proxy's admin API: one request, one answer, the standard library.

Every way it can go wrong is an error of ours that says what to do.
"""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any

from mralab.config.values import read_endpoint
from mralab.errors import AdminError, ConfigError

if TYPE_CHECKING:
    from mralab.admin.runfile import RunFile

_TIMEOUT_S = 30.0
_MAX_ANSWER_BYTES = 16 * 1_048_576
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to reach "all addresses"


class AdminClient:
    """The admin API of one running proxy."""

    def __init__(self, run: RunFile) -> None:
        """Prepare for the proxy of a run file.

        Raises:
            AdminError: it runs without an admin listener.
        """
        if run.admin is None:
            raise AdminError(
                f"the proxy on {run.listen} runs with --admin off",
                hint="start it with --admin HOST:PORT",
            )
        self._address = run.admin
        self._token = run.token

    def get(self, path: str) -> Any:
        """Return the JSON answer to a GET of ``path`` below ``/api/v1``."""
        return self._request("GET", path, None, "")

    def post_json(self, path: str, body: object) -> Any:
        """Return the JSON answer to a POST of JSON."""
        return self._request("POST", path, json.dumps(body).encode(), "application/json")

    def post_bytes(self, path: str, body: bytes) -> Any:
        """Return the JSON answer to a POST of anything else."""
        return self._request("POST", path, body, "application/octet-stream")

    def delete(self, path: str) -> Any:
        """Return the JSON answer to a DELETE."""
        return self._request("DELETE", path, None, "")

    def _request(self, method: str, path: str, body: bytes | None, content_type: str) -> Any:
        """Send one request and read its answer.

        Raises:
            ConfigError: the proxy found fault with what was asked.
            AdminError: nobody listens, the answer is no answer, or the proxy failed.
        """
        endpoint = read_endpoint(self._address)
        host = _ANY_ADDRESS.get(endpoint.host, endpoint.host)
        connection = http.client.HTTPConnection(host, endpoint.port, timeout=_TIMEOUT_S)
        headers = {"Authorization": f"Bearer {self._token}"}
        if content_type:
            headers["Content-Type"] = content_type
        try:
            connection.request(method, f"/api/v1{path}", body, headers)
            with connection.getresponse() as response:
                data = response.read(_MAX_ANSWER_BYTES)
        except TimeoutError as exc:
            raise AdminError(
                f"the admin listener on {self._address} did not answer in {_TIMEOUT_S:.0f} s",
                hint="its process may be overloaded, or stopped by a debugger",
            ) from exc
        except OSError as exc:
            raise AdminError(
                f"the admin listener on {self._address} cannot be reached: {exc.strerror or exc}",
                hint="is its process still running?",
            ) from exc
        except http.client.HTTPException as exc:
            raise self._not_ours() from exc
        finally:
            connection.close()
        return self._answer(response.status, data)

    def _answer(self, status: int, data: bytes) -> Any:
        if status == http.client.UNAUTHORIZED:
            raise AdminError(
                f"the admin listener on {self._address} refused the token",
                hint="another one took that address: stop it, or name its --state-dir",
            )
        try:
            answer = json.loads(data)
        except (ValueError, RecursionError) as exc:
            raise self._not_ours() from exc
        if status >= http.client.BAD_REQUEST:
            if not isinstance(answer, dict) or not isinstance(answer.get("error"), str):
                raise self._not_ours()
            kind = AdminError if status >= http.client.INTERNAL_SERVER_ERROR else ConfigError
            raise kind(answer["error"], hint=str(answer.get("hint", "")))
        return answer

    def _not_ours(self) -> AdminError:
        return AdminError(
            f"what listens on {self._address} is not the admin listener of mralab",
            hint="another program took that address",
        )
