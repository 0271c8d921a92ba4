"""Whether it serves, and what it did: for those who keep it running."""

import json
import re
import time
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx
from prometheus_client.parser import text_string_to_metric_families

from grok_app import SamplingParams
from tests.api.conftest import Client, idle, serving, wait_until
from tests.app_process import ROOT, AppProcess

DASHBOARD = ROOT / "assets" / "grafana.json"


def samples(client: Client) -> dict[str, float]:
    """All samples by name and labels, the model's left out."""
    response = client.http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    return {
        ",".join([s.name, *(v for k, v in sorted(s.labels.items()) if k != "model_name")]): s.value
        for family in text_string_to_metric_families(response.text)
        for s in family.samples
    }


def test_metrics_follow_what_is_done(small) -> None:
    with serving(small) as client:
        held = small.generate([5] * 20, SamplingParams(max_tokens=250, temperature=0))
        next(held)
        waiting = small.generate([5], SamplingParams(max_tokens=5))
        now = samples(client)
        assert now["grok:num_requests_running"] == 1
        assert now["grok:num_requests_waiting"] == 1
        assert 20 / 256 < now["grok:kv_cache_usage_perc"] <= 1
        held.close()
        assert len(list(waiting)) == 5
        wait_until(lambda: idle(small))
        after = samples(client)
    assert after["grok:num_requests_running"] == after["grok:num_requests_waiting"] == 0
    assert after["grok:kv_cache_usage_perc"] == 0
    assert after["grok:request_success_total,abort"] == 1
    assert after["grok:request_success_total,length"] == 1
    assert after["grok:prompt_tokens_total"] == 21
    made = after["grok:generation_tokens_total"]
    assert made >= 6
    assert after["grok:time_to_first_token_seconds_count"] == 2
    assert after["grok:time_to_first_token_seconds_bucket,+Inf"] == 2
    assert after["grok:inter_token_latency_seconds_count"] == made - 2
    buckets = [v for k, v in after.items() if k.startswith("grok:inter_token_latency_seconds_b")]
    assert buckets == sorted(buckets)


def test_the_dashboard_shows_metrics_that_there_are(api) -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    asked = [t["expr"] for panel in dashboard["panels"] for t in panel.get("targets", [])]
    assert len(asked) >= 6
    there = {key.partition(",")[0] for key in samples(api)}
    for expression in asked:
        named = set(re.findall(r"grok:\w+", expression))
        assert named
        assert named <= there, expression


def test_health_is_told_from_the_first_second(tmp_path) -> None:
    with AppProcess(tmp_path / "log") as app:
        app.wait_for("Loading")
        seen: list[tuple[int, str]] = []
        # Who came while the model loaded is not cut off: one connection all the while.
        early = HTTPConnection(urlsplit(app.url).netloc, timeout=60)
        early.connect()
        connected = early.sock
        client = httpx.Client(base_url=app.url, trust_env=False, timeout=60)
        with closing(early), client:
            while not seen or seen[-1] != (200, "ready"):
                early.request("GET", "/health")
                early.getresponse().read()
                response = client.get("/health")  # never refused
                seen.append((response.status_code, response.json()["status"]))
                head, after = client.head("/health"), client.get("/health").status_code
                assert head.status_code in (response.status_code, after)
                assert not head.content
                if len(seen) == 1:
                    page = client.get("/")
                    assert (page.status_code, "loading" in page.text) == (503, True)
                time.sleep(0.02)
            assert client.get("/").status_code == 200
            assert early.sock is connected
        assert set(seen) == {(503, "starting"), (200, "ready")}


def test_tokens_can_be_counted(api, nano) -> None:
    text = "The sea was calm, n'est-ce pas? \N{SPARKLES}"
    counted = api.http.post("/tokenize", json={"prompt": text}).json()
    ids = nano.tokenizer.encode(text)
    assert counted == {"tokens": ids, "count": len(ids), "max_model_len": 1024}
    back = api.http.post("/detokenize", json={"tokens": ids}).json()
    assert back == {"prompt": nano.tokenizer.decode(ids)}
    info = api.http.get("/tokenizer_info").json()
    assert info["eos_token"] == "</s>"
    assert info["vocab_size"] == 4096
    assert api.http.post("/detokenize", json={"tokens": [4096]}).status_code == 400
