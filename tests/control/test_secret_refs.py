"""The Secrets of a cluster that a webhook names: the URL and the key that signs."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from pilotfish.sidecar.control.cluster import read_secret_ref
from pilotfish.sidecar.control.ledger import IntentLedger
from pilotfish.sidecar.control.observe import build_situation
from pilotfish.sidecar.control.webhook.files import WebhookFileError, file_problems
from pilotfish.sidecar.kube.create import create
from pilotfish.sidecar.kube.objects import SECRETS
from pilotfish.sidecar.settings.load import parse
from pilotfish.sidecar.settings.webhooks import SecretRef, Webhook, address_hash, shown_receiver
from tests.control.test_observe import REPORT
from tests.support.apiserver.server import ApiServer

DATA = {"key": b" s3cret\n", "empty": b" "}


async def read(name: str, key: str) -> bytes:
    async with ApiServer() as api:
        kube = await api.connect()
        try:
            data = {key: base64.b64encode(value).decode() for key, value in DATA.items()}
            secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hmac"}, "data": data}
            await create(kube, SECRETS, secret, "default")
            return await read_secret_ref(kube, "default", SecretRef(name=name, key=key))
        finally:
            await kube.close()


@pytest.mark.asyncio
async def test_a_secret_is_read_without_white_space_around_it() -> None:
    assert await read("hmac", "key") == b"s3cret"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("name", "key", "says"),
    [("other", "key", "Secret 'other'"), ("hmac", "token", "no key 'token'"), ("hmac", "empty", "is empty")],
)
async def test_a_secret_that_cannot_be_used_is_named_without_its_content(name: str, key: str, says: str) -> None:
    with pytest.raises(WebhookFileError, match=says) as caught:
        await read(name, key)
    assert "s3cret" not in str(caught.value)


def test_a_receiver_with_its_url_in_a_secret_is_shown_and_identified_by_the_secret() -> None:
    webhook = Webhook(url_secret_ref=SecretRef(name="slack", key="url"))
    assert shown_receiver(webhook) == "URL in Secret slack"
    others = (SecretRef(name="slack"), SecretRef(name="other", key="url"))
    assert address_hash(webhook) not in {address_hash(Webhook(url_secret_ref=ref)) for ref in others}


def test_outside_of_a_cluster_nothing_is_sent_to_a_url_in_a_secret(tmp_path: Path) -> None:
    spec = "spec: {retrain: {webhook: {urlSecretRef: {name: slack}}}}"
    monitor = parse(
        f"apiVersion: pilotfish.dev/v1alpha1\nkind: ModelMonitor\nmetadata: {{name: a}}\n{spec}".encode(), "x"
    )
    for cluster, reason in ((False, "secret_ref"), (True, "")):
        rules = build_situation(REPORT, monitor, IntentLedger(), 0.0, cluster=cluster).retrain
        assert rules is not None
        assert rules.blocked_reason == reason
    assert list(file_problems(monitor.spec, tmp_path)) == []
