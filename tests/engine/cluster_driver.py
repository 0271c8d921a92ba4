"""A process of a cluster, for the tests: what process 0 makes is printed as JSON.

python -m tests.engine.cluster_driver CHECKPOINT [COORDINATOR PROCESSES PROCESS_ID]
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

from grok_app import EngineOptions, SamplingParams
from grok_app.engine.cluster import Cluster
from grok_app.engine.engine import Engine
from grok_app.engine.load import follow, load

PARAMS = [
    SamplingParams(max_tokens=24, temperature=0),
    SamplingParams(max_tokens=9, temperature=0.9, top_p=0.9, seed=3),
    SamplingParams(max_tokens=40, seed=6),
    SamplingParams(max_tokens=5, temperature=0),
    SamplingParams(max_tokens=16, temperature=0.7, top_k=20, seed=5),
]


def main() -> None:
    """Takes part, as the arguments say."""
    folder, *rest = sys.argv[1:]
    cluster = Cluster(rest[0], int(rest[1]), int(rest[2])) if rest else None
    if cluster and cluster.process_id:
        follow(Path(folder), EngineOptions(slots=3, dtype="float32"), cluster)
        return
    engine = load(Path(folder), EngineOptions(slots=3, dtype="float32"), cluster)
    print("ready", flush=True)
    if "--talk-on" in sys.stdin.readline():
        talk_on(engine)
    print(json.dumps(replies(engine)), flush=True)
    engine.close()


def replies(engine: Engine) -> list[list[int]]:
    """Tokens of five requests over three slots; a sixth leaves in the middle."""
    made: list[list[int]] = [[] for _ in PARAMS]

    def run(number: int) -> None:
        prompt = [5 + number, 17, 300 - number] * (1 + 20 * (number % 2))
        for piece in engine.generate(prompt, PARAMS[number]):
            made[number].append(piece.token_id)

    threads = [threading.Thread(target=run, args=[n]) for n in range(len(PARAMS))]
    leaver = engine.generate([9, 9, 9], SamplingParams(max_tokens=200, temperature=0))
    for thread in threads:
        thread.start()
        next(leaver)
    leaver.close()
    for thread in threads:
        thread.join()
    return made


def talk_on(engine: Engine) -> None:
    """Replies without end, until one fails; what it says is printed."""
    try:
        while True:
            for _ in engine.generate([1, 2, 3], SamplingParams(max_tokens=100)):
                pass
    except Exception as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
