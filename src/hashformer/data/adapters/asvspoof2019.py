"""ASVspoof 2019, logical access: genuine speech against synthesis and conversion."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from hashformer.data.adapters.layout import locate, relative
from hashformer.data.manifest import Row
from hashformer.data.tables import read_text
from hashformer.errors import ManifestError

CORPUS = "asvspoof2019"
PROTOCOLS = "ASVspoof2019_LA_cm_protocols"
FILES = {
    "train": ("ASVspoof2019.LA.cm.train.trn.txt", "ASVspoof2019_LA_train", "train"),
    "dev": ("ASVspoof2019.LA.cm.dev.trl.txt", "ASVspoof2019_LA_dev", "val"),
    "eval": ("ASVspoof2019.LA.cm.eval.trl.txt", "ASVspoof2019_LA_eval", "test"),
}
"""For each partition: its protocol, its folder, our name of the split."""
KEYS = {"bonafide": 0, "spoof": 1}
N_COLUMNS = 5
WRONG_FORMATS = {
    4: "This is a speaker verification protocol (asv_protocols); the countermeasure protocols (cm) are needed.",
    3: "This is a speaker verification protocol (asv_protocols); the countermeasure protocols (cm) are needed.",
    8: "This is the format of ASVspoof 2021, which is another corpus.",
}


def index(root: Path) -> Iterator[Row]:
    """Yield the rows of the countermeasure protocols; a partition that is not there is left out.

    Expected: `LA/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.{train.trn,dev.trl,eval.trl}.txt` with the
    columns speaker, file, "-", system, key; and `LA/ASVspoof2019_LA_{train,dev,eval}/flac/`. The official
    dev partition becomes val, eval becomes test. There is no picture, so `video_fake` is None.

    Raises:
        ManifestError: If no protocol is there, or one has other columns.
    """
    base = locate(root, (PROTOCOLS,), "ASVspoof2019 LA")
    present = [entry for entry in FILES.values() if (base / PROTOCOLS / entry[0]).is_file()]
    if not present:
        expected = ", ".join(entry[0] for entry in FILES.values())
        raise ManifestError(f"{base / PROTOCOLS}: holds none of the countermeasure protocols {expected}.")
    for protocol, folder, split in present:
        path = base / PROTOCOLS / protocol
        for number, line in enumerate(read_text(path).splitlines(), start=1):
            if line.strip():
                yield _row(line.split(), f"{path}, line {number}", relative(base / folder, root), split)


def _row(values: Sequence[str], where: str, folder: str, split: str) -> Row:
    if len(values) != N_COLUMNS or values[4] not in KEYS:
        why = WRONG_FORMATS.get(len(values), "")
        raise ManifestError(f"{where}: expected 'speaker file - system key', got {' '.join(values)!r}. {why}".rstrip())
    speaker, name, _, system, key = values
    label = KEYS[key]
    return Row(
        path=f"{folder}/flac/{name}.flac",
        label=label,
        audio_fake=bool(label),
        method=system if label else "real",
        identity_source=speaker,
        split=split,
        corpus=CORPUS,
    )


def release(rows: Sequence[Row]) -> str:
    """Which release the rows look like."""
    names = {split: partition for partition, (_, _, split) in FILES.items()}
    found = [f"{names[split]} {n}" for split in names if (n := sum(row.split == split for row in rows))]
    return f"ASVspoof2019 LA: {', '.join(found)}"
