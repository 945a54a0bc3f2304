"""The service inside a boto3 client: no socket, no port, no credentials to check.

botocore emits ``before-send`` with each request that is ready to go, and takes what a
handler returns for the reply. An exception that is an HTTPClientError there is treated as a
failure of the connection, retries included, which is how lost replies are told.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Final

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from turkbatch.server import service

_EVENT: Final = "before-send.mturk.*"


def attach(client: Any, served: service.Service) -> None:  # noqa: ANN401, boto3 makes client classes at run time
    """Have a client's requests answered by a service in this process.

    Parameters
    ----------
    client : boto3 client
        For MTurk, with whatever endpoint and credentials.
    served : Service
        What answers from now on, instead of one attached before.
    """
    client.meta.events.unregister(_EVENT, unique_id=_EVENT)

    def answer(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        return _answer(served, request)

    client.meta.events.register(_EVENT, answer, unique_id=_EVENT)


class _Raw(io.BytesIO):
    """A reply's body as botocore reads it from urllib3."""

    def stream(self) -> Iterator[bytes]:
        yield self.getvalue()


def _answer(served: service.Service, request: AWSPreparedRequest) -> AWSResponse:
    headers = {name: _text(value) for name, value in request.headers.items()}
    try:
        reply = served.handle(headers, _body(request))
    except service.Lost:
        # The same error whether or not the work was done: a client can't tell either.
        raise ConnectionClosedError(endpoint_url=request.url) from None
    except service.Hang:
        raise ReadTimeoutError(endpoint_url=request.url) from None
    headers_out = HTTPHeaders.from_dict(dict(reply.headers))
    return AWSResponse(request.url, reply.status, headers_out, _Raw(reply.body))


def _body(request: AWSPreparedRequest) -> bytes:
    body: object = request.body
    if isinstance(body, str):
        return body.encode()
    # For this API botocore always gives bytes; a stream belongs to other services.
    return bytes(body) if isinstance(body, bytes | bytearray) else b""


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
