"""What the server tells and counts of itself."""

from __future__ import annotations


def test_metrics_of_stages_and_times(server):
    names = {"ranker": {"user_id": "u00"}, "popular": {"user_id": "visitor"}}
    for stage, who in names.items():
        before = server.metric("poise_slates_total", stage=stage)
        server.recommend(**who)
        assert server.metric("poise_slates_total", stage=stage) == before + 1
        assert server.metric("poise_stage_seconds_count", stage=stage) > 0
    assert server.metric("poise_requests_total", route="/v1/recommendations", status="200") > 0
    assert server.metric("poise_request_seconds_count", route="/v1/recommendations") > 0
    text = server.client.get("/metrics")
    assert text.headers["content-type"].startswith("text/plain")
    for name in ("poise_freshness_seconds", "poise_store_pending_rows", "poise_items", "poise_run"):
        assert name in text.text
