"""Small corpora of sound files: quick to score, through every stage but the faces."""

from hashformer.data.manifest import Row, write_manifest
from hashformer.media.writer import write_audio
from make_faces import speech_like


def voices(folder, n=6):
    """`n` voices of a second or two, one silent file, one that is no sound, and one that is not there."""
    rows = []
    for i in range(n):
        name = f"{'fake' if i % 2 else 'real'}/voice {i}.wav"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_audio(folder / name, speech_like(1.0 + i / 4, seed=i) * (0.3 + i / 10), sample_rate_hz=16_000)
        rows.append(_row(name, i % 2, split="val" if i < 4 else "test", identity_source=f"p{i // 2}"))
    write_audio(folder / "real" / "silence.wav", speech_like(1.0) * 0, sample_rate_hz=16_000)
    (folder / "real" / "text.wav").write_text("no sound at all")
    rows += [_row("real/silence.wav", 0, split="val"), _row("real/text.wav", 0, split="val")]
    rows += [_row("fake/gone.wav", 1, split="val")]
    return rows


def write_voices(folder, n=6):
    """The same with a manifest beside them."""
    rows = voices(folder, n)
    write_manifest(rows, folder / "manifest.csv")
    return rows


def _row(path, label, **fields):
    return Row(path=path, label=label, audio_fake=bool(label), method="vocoder" if label else "real", **fields)
