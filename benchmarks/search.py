"""Whether copies of indexed clips are found again, and how long a search over a million codes takes.

python benchmarks/search_copies.py CLIPS WORK/media --clips 200     # makes masters, copies and videos to fit to
hashformer preprocess --base_dir WORK/media --output_dir WORK/prepared --workers 2
python benchmarks/search.py WORK --checkpoint small

The masters are indexed, every copy is searched for. Vectors are kept in WORK/vectors, by weights, so that an
interrupted run goes on. With --speed nothing is read: codes are made up.
"""

import argparse
import json
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from search_copies import COPIES, FITTING, MASTERS

from hashformer.search.bank import Bank
from hashformer.search.coder import Coder
from hashformer.search.codes import FileCodes, FileVectors, StreamCodes
from hashformer.search.fit import fit_profile, measure
from hashformer.search.index import MAX_EXPECTED
from hashformer.search.match import Match, find
from hashformer.search.profile import Chance, Profile, Spread

T = TypeVar("T")
N_SPEED, WINDOWS_A_FILE, QUERY_WINDOWS = 1_000_000, 50, 20


def main() -> None:
    """Print a line of JSON for each way to make codes and each kind of copy, or for the speed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, nargs="?")
    parser.add_argument("--checkpoint", default="small")
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--profile", type=Path, help="write the fitted profile to this file, for a weight file's notes")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.speed:
        _speed()
        return
    coded = _coded(args.work, args.checkpoint, args.clips)
    masters = {name: file for (kind, name), file in coded.items() if kind == MASTERS}
    fitting = [file for (kind, _), file in coded.items() if kind == FITTING]
    bits = 8 * next(iter(next(iter(masters.values())).streams.values())).own_codes.shape[1]
    fitted = fit_profile(fitting, bits=bits, fitted_on=f"{len(fitting)} videos")
    if args.profile:
        args.profile.write_text(fitted.model_dump_json(), encoding="utf-8")
    for way, profile in {"own codes": Profile(), "fitted on other videos": fitted}.items():
        _recall(way, profile, masters, coded)


def _coded(work: Path, checkpoint: str, n_clips: int) -> dict[tuple[str, str], FileVectors]:
    """All files that are prepared, by kind and name."""
    coded: dict[tuple[str, str], FileVectors] = {}
    with Coder(checkpoint) as coder:
        kept = work / "vectors" / coder.weights.sha256[:12]
        for kind, folder in _folders(work / "prepared", n_clips):
            path = kept / kind / f"{folder.name}.pickle"
            if not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(pickle.dumps(coder.code_prepared(folder)))
            coded[kind, folder.name] = pickle.loads(path.read_bytes())  # noqa: S301 -- written here
    return coded


def _folders(prepared: Path, n_clips: int) -> Iterator[tuple[str, Path]]:
    for kind in (MASTERS, FITTING, *COPIES):
        records = sorted((prepared / kind).glob("*/sample.json"))
        for record in records if kind == FITTING else records[:n_clips]:
            yield kind, record.parent


def _recall(
    way: str, profile: Profile, masters: dict[str, FileVectors], coded: dict[tuple[str, str], FileVectors]
) -> None:
    names = [name for name, file in masters.items() if file.streams]
    codes = [profile.encode(masters[name]) for name in names]
    bank = Bank(codes)
    chance = measure(codes)
    bits = {name: round(_entropy(stream.codes), 1) for name, stream in bank.streams.items()}
    spreads = {name: f"{spread.mean:.1f} ± {spread.sd:.1f}" for name, spread in chance.spreads.items()}
    print(json.dumps({"codes": way, "indexed": len(names), "entropy_bits": bits, "distance_of_others": spreads}))
    for kind, copy in COPIES.items():
        queries = {name: profile.encode(coded[kind, name]) for name in names if (kind, name) in coded}
        print(json.dumps({"codes": way, "copy": kind, **_score(queries, names, bank, chance, copy.trim_s)}), flush=True)
    others = {name: profile.encode(file) for (kind, name), file in coded.items() if kind == FITTING}
    found = sum(_is_found(find(file, bank, chance.spreads), chance, len(names)) for file in others.values())
    print(json.dumps({"codes": way, "unknown_videos": len(others), "found_wrongly": found}), flush=True)


def _score(
    queries: dict[str, FileCodes], names: Sequence[str], bank: Bank, chance: Chance, trim_s: float
) -> dict[str, object]:
    first = in_time = certain = wrong = 0
    for name, query in queries.items():
        matches = find(query, bank, chance.spreads)
        if matches and names[matches[0].place] == name:
            first += 1
            in_time += abs(matches[0].offset_s - trim_s) <= 0.3
            certain += _is_found(matches[:1], chance, len(names))
        wrong += _is_found([match for match in matches if names[match.place] != name], chance, len(names))
    n = max(1, len(queries))
    return {
        "searched": len(queries),
        "recall_at_1": round(first / n, 3),
        "right_time": round(in_time / n, 3),
        "found_by_threshold": round(certain / n, 3),
        "another_found_too": round(wrong / n, 3),
    }


def _is_found(matches: Sequence[Match], chance: Chance, n_files: int) -> bool:
    return any(chance.expected(match.evidence, n_files) <= MAX_EXPECTED for match in matches)


def _entropy(codes: np.ndarray) -> float:
    """Sum over bits of the entropy of each: how many bits a code tells at most."""
    share = np.unpackbits(codes, axis=1).mean(0).clip(1e-9, 1 - 1e-9)
    return float(-(share * np.log2(share) + (1 - share) * np.log2(1 - share)).sum())


def _speed() -> None:
    """A million codes in three streams, and a query of ten seconds; codes as of different videos, with noise."""
    rng = np.random.default_rng(0)
    n_files = N_SPEED // 3 // WINDOWS_A_FILE
    streams = ("audio", "landmarks", "video")
    files = [_made_up(rng, str(number), streams) for number in range(n_files)]
    bank, load_s = _timed(lambda: Bank(files), 1)
    n_codes = sum(len(stream.codes) for stream in bank.streams.values())
    spreads = {name: Spread(mean=32.0, sd=5.0) for name in streams}
    known = files[n_files // 2]
    query = FileCodes(
        sha256="",
        name="query",
        duration_s=QUERY_WINDOWS / 2,
        window_s=1.0,
        streams={name: _noisy(rng, part) for name, part in known.streams.items()},
    )
    matches, search_s = _timed(lambda: find(query, bank, spreads), 15)
    one = bank.streams["video"].codes[:1]
    whole = Bank([FileCodes(sha256="", name="", duration_s=0, window_s=1, streams={"video": _joined(bank)})])
    _, one_s = _timed(lambda: whole.streams["video"].neighbours.nearest(one, 128), 15)
    print(
        json.dumps(
            {
                "codes": n_codes,
                "found": bank.files[matches[0].place].name == known.name,
                "fill_s": round(load_s, 2),
                "one_code_ms": round(1e3 * one_s, 1),
                "query_windows": QUERY_WINDOWS,
                "whole_query_ms": round(1e3 * search_s, 1),
            }
        )
    )


def _made_up(rng: np.random.Generator, name: str, streams: Sequence[str]) -> FileCodes:
    times = (np.arange(WINDOWS_A_FILE) / 2).astype(np.float32)
    tracks = np.zeros(WINDOWS_A_FILE, np.int32)
    parts = {}
    for stream in streams:
        own = rng.integers(0, 256, (1, 8), np.uint8)
        flips = np.packbits(rng.random((WINDOWS_A_FILE, 64)) < 0.15, axis=1)
        parts[stream] = StreamCodes(starts_s=times, tracks=tracks, codes=own ^ flips)
    return FileCodes(sha256=name, name=name, duration_s=WINDOWS_A_FILE / 2, window_s=1.0, streams=parts)


def _noisy(rng: np.random.Generator, part: StreamCodes) -> StreamCodes:
    flips = np.packbits(rng.random((QUERY_WINDOWS, 64)) < 0.05, axis=1)
    here = slice(10, 10 + QUERY_WINDOWS)
    return StreamCodes(
        starts_s=part.starts_s[:QUERY_WINDOWS], tracks=part.tracks[:QUERY_WINDOWS], codes=part.codes[here] ^ flips
    )


def _joined(bank: Bank) -> StreamCodes:
    codes = np.concatenate([stream.codes for stream in bank.streams.values()])
    return StreamCodes(starts_s=np.zeros(len(codes), np.float32), tracks=np.zeros(len(codes), np.int32), codes=codes)


def _timed(work: Callable[[], T], times: int) -> tuple[T, float]:
    """The result, and the median of seconds."""
    took = []
    for _ in range(times):
        started = time.perf_counter()
        result = work()
        took.append(time.perf_counter() - started)
    return result, float(np.median(took))


if __name__ == "__main__":
    main()
