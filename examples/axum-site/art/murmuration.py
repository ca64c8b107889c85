"""Makes the film of the article, its poster and the download: a flock at dusk, simulated.

    pip install numpy scipy pillow && python3 murmuration.py ../site/pages

Needs ffmpeg with libvpx. Every bird steers by its seven nearest neighbours and by nothing else (Ballerini et al.,
PNAS 105:1232, 2008), and by a falcon that passes now and then.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

SIZE = (540, 960)
FRAMES, RATE, BIRDS, NEIGHBOURS = 500, 25, 3000, 7


def sky(rng, drift):
    """Dusk, with clouds that a slow wind moves."""
    y = np.linspace(0, 1, SIZE[0])[:, None]
    stops = np.array([[24, 32, 62], [62, 62, 104], [150, 98, 118], [232, 146, 104], [255, 205, 140]], float)
    img = np.stack([np.interp(y, np.linspace(0, 1, 5), stops[:, c]) for c in range(3)], -1).repeat(SIZE[1], 1)
    cloud = np.roll(rng, int(drift), 1)[:, : SIZE[1]]
    lit = np.array([255, 178, 158]) * (0.42 + 0.55 * y[..., None])
    return img + (lit - img) * (np.clip(cloud, 0, 1) * 0.3)[..., None]


def clouds(rng):
    shape = (SIZE[0], SIZE[1] * 2)
    fy, fx = np.fft.fftfreq(shape[0])[:, None] * shape[0] * 3.4, np.fft.rfftfreq(shape[1])[None] * shape[1]
    f = np.hypot(fy, fx)
    f[0, 0] = 1
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * f**-1.45, shape)
    return (field / field.std() - 0.15) * 0.6


def horizon(rng):
    """Reeds and a far wood, as one silhouette."""
    wood = SIZE[0] * 0.93 - 9 * np.abs(np.convolve(rng.standard_normal(SIZE[1]), np.ones(26) / 12, "same"))
    mask = np.arange(SIZE[0])[:, None] > wood[None]
    for stem in rng.integers(0, SIZE[1], 240):
        top = SIZE[0] - int(rng.gamma(6, 7))
        lean = rng.normal(0, 0.09)
        for row in range(top, SIZE[0]):
            column = int(stem + lean * (SIZE[0] - row))
            if 0 <= column < SIZE[1]:
                mask[row, column] = True
                if row < top + 9:
                    mask[row, max(column - 1, 0) : column + 2] = True
    return gaussian_filter(mask.astype(float), 0.6)[..., None]


def step(place, speed, falcon, t):
    """One frame, as the birds see it: align, keep together, keep apart, come home, flee."""
    _, near = cKDTree(place).query(place, NEIGHBOURS + 1)
    near = near[:, 1:]
    offset = place[near] - place[:, None]
    gap = np.linalg.norm(offset, axis=2, keepdims=True) + 1e-6
    align = speed[near].mean(1) - speed
    apart = -(offset / gap * np.maximum(0, 2.3 - gap)).mean(1)
    centre = np.array([9 * np.sin(t * 0.42), 4 + 3.2 * np.sin(t * 0.53), 5 * np.cos(t * 0.27)])
    home = centre - place
    home *= np.maximum(0, np.linalg.norm(home, axis=1, keepdims=True) - 7) * 0.032
    away = place - falcon
    fright = np.linalg.norm(away, axis=1, keepdims=True) + 1e-6
    flee = away / fright * np.maximum(0, 8 - fright) * 1.3
    speed = speed + (align * 2.6 + offset.mean(1) * 0.24 + apart * 4.2 + home + flee) * 0.09
    speed *= [1, 0.97, 0.975]
    norm = np.linalg.norm(speed, axis=1, keepdims=True)
    speed = speed / norm * np.clip(norm, 6.5, 11)
    return place + speed * 0.04, speed


def render(place, speed, ground, backdrop):
    """Birds as short dark strokes, nearer ones larger and darker."""
    depth = 46 + place[:, 2]
    scale = 720 / depth
    dark = np.zeros(SIZE)
    for part in np.linspace(-0.5, 0.5, 5):
        at = place + speed * 0.016 * part
        x = at[:, 0] * scale + SIZE[1] / 2
        y = SIZE[0] * 0.52 - at[:, 1] * scale * 0.92 + 30
        fx, fy = np.floor(x).astype(int), np.floor(y).astype(int)
        for dy in (0, 1):
            for dx in (0, 1):
                weight = np.abs(1 - dx - (x - fx)) * np.abs(1 - dy - (y - fy)) * (scale / 15) ** 2 * 0.42
                ok = (fx + dx >= 0) & (fx + dx < SIZE[1]) & (fy + dy >= 0) & (fy + dy < SIZE[0])
                np.add.at(dark, ((fy + dy)[ok], (fx + dx)[ok]), weight[ok])
    cover = (1 - np.exp(-1.7 * (dark + 0.35 * gaussian_filter(dark, 0.8))))[..., None]
    img = backdrop * (1 - cover) + np.array([20, 18, 30]) * cover
    return img * (1 - ground) + np.array([14, 12, 20]) * ground


def main(pages):
    rng = np.random.default_rng(1712)
    place, speed = rng.normal(0, 7, (BIRDS, 3)), rng.normal(0, 1, (BIRDS, 3)) + [7, 0, 0]
    cloud, ground = clouds(rng), horizon(rng)
    encoder = subprocess.Popen(
        ["ffmpeg", "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{SIZE[1]}x{SIZE[0]}", "-r", str(RATE),
         "-i", "-", "-c:v", "libvpx-vp9", "-b:v", "1350k", "-minrate", "1200k", "-maxrate", "1500k", "-deadline", "realtime", "-cpu-used", "5",
         "-row-mt", "1", "-threads", "2", "-g", "50", "-pix_fmt", "yuv420p", str(pages / "murmuration.webm")],
        stdin=subprocess.PIPE)
    tracks = []
    for frame in range(-120, FRAMES):
        t = frame / RATE
        falcon = np.array([30 * np.sin(t * 0.9), 4 + 9 * np.sin(t * 0.7 + 2), 16 * np.cos(t * 0.8)])
        place, speed = step(place, speed, falcon, t)
        if frame < 0:
            continue
        img = render(place, speed, ground, sky(cloud, frame * 0.35)) + rng.normal(0, 1.6, (*SIZE, 1))
        pixels = np.clip(img, 0, 255).astype(np.uint8)
        encoder.stdin.write(pixels.tobytes())
        tracks += [f"{frame / RATE:.2f},{bird},{p[0]:.2f},{p[1]:.2f},{p[2]:.2f}" for bird, p in enumerate(place[:40])]
        if frame == 200:
            Image.fromarray(pixels).save(pages / "pictures" / "murmuration.jpg", quality=88, progressive=True, optimize=True)
        if frame % 50 == 0:
            print(frame, flush=True)
    encoder.stdin.close()
    encoder.wait()
    with zipfile.ZipFile(pages / "tracks.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        stamp = zipfile.ZipInfo("tracks.csv", (2026, 3, 1, 6, 0, 0))
        stamp.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(stamp, "\n".join(["second,bird,x_m,y_m,z_m", *tracks]) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
