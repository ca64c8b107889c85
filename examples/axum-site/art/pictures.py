"""Draws the pictures of the example site. Every one is computed; none is a photograph.

    pip install numpy scipy pillow && python3 pictures.py ../site/pages/pictures [name…]

Each picture is a function from a seeded generator to an image of floats in 0…1; `save` then looks for the JPEG
quality that comes nearest to 350 kB, so that the gallery weighs what a real one weighs.
"""

import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree

WIDE = (1067, 1600)
TALL = (1600, 1200)
TARGET = 350_000


# Building blocks

def noise(rng, shape, beta=2.0, stretch=(1.0, 1.0)):
    """Noise whose power falls with the frequency as f**-beta: 0 is sand, 2 clouds, 3 hills. Zero mean, unit deviation."""
    fy = np.fft.fftfreq(shape[0])[:, None] * shape[0] * stretch[0]
    fx = np.fft.rfftfreq(shape[1])[None, :] * shape[1] * stretch[1]
    f = np.hypot(fy, fx)
    f[0, 0] = 1
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) * f ** (-beta / 2)
    spectrum[0, 0] = 0
    field = np.fft.irfft2(spectrum, shape)
    return field / field.std()


def grid(shape):
    """Coordinates with the picture's height as the unit."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    return y / shape[0], x / shape[0]


def warp(field, dy, dx):
    """The field as seen through a moving pane: each pixel is fetched from (dy, dx) pixels away."""
    y, x = np.mgrid[0 : field.shape[0], 0 : field.shape[1]].astype(float)
    return map_coordinates(field, [y + dy, x + dx], order=1, mode="grid-wrap")


def shade(height, azimuth=315, altitude=40, relief=1.0):
    """Hillshade: the cosine between the surface's normal and the sun."""
    gy, gx = np.gradient(height * relief)
    a, h = np.radians(azimuth), np.radians(altitude)
    sun = np.array([np.sin(a) * np.cos(h), -np.cos(a) * np.cos(h), np.sin(h)])
    return np.clip((-gx * sun[0] - gy * sun[1] + sun[2]) / np.sqrt(gx**2 + gy**2 + 1), 0, 1)


def ramp(value, *stops):
    """Colours for values in 0…1, from hexadecimal stops at equal distances."""
    colours = np.array([[int(s[i : i + 2], 16) / 255 for i in (0, 2, 4)] for s in stops])
    at = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(value, at, colours[:, c]) for c in range(3)], -1)


def unit(field):
    """The field's ranks spread over 0…1 between its 0.5th and 99.5th percentile."""
    low, high = np.percentile(field, [0.5, 99.5])
    return np.clip((field - low) / (high - low), 0, 1)


def smooth(low, high, value):
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def stars(rng, shape, count, spread=1.0):
    """Points with the brightness law of the real sky, the brightest with a small halo."""
    sky = np.zeros(shape)
    y, x = rng.integers(0, shape[0], count), rng.integers(0, shape[1], count)
    np.add.at(sky, (y, x), np.minimum(rng.pareto(1.6, count) * 0.12, 9))
    return gaussian_filter(sky, 0.6 * spread) * 2.2 + gaussian_filter(np.where(sky > 2.5, sky, 0), 3) * 6


def mix(a, b, t):
    return a + (b - a) * t[..., None]


# Pictures

def aurora(rng):
    shape = WIDE
    y, x = grid(shape)
    img = ramp(y, "050914", "0a1a2e", "12324a", "2a5058")
    img += (stars(rng, shape, 5200) * smooth(0.95, 0.3, y))[..., None] * np.array([0.9, 0.95, 1.0])
    for layer, (base, tint) in enumerate([(0.44, "3dfcae"), (0.55, "5cf7d0"), (0.36, "9c6bff")]):
        line = base + 0.09 * np.sin(2.4 * x + layer * 1.9) + 0.05 * np.sin(5.9 * x + layer) + 0.02 * noise(rng, (1, shape[1]), 2.6)
        above = line - y
        rays = np.exp(0.55 * noise(rng, (1, shape[1]), 1.35) + 0.35 * noise(rng, shape, 2.2, (9, 1)))
        glow = np.where(above > 0, np.exp(-above / 0.16), np.exp(above / 0.012)) * rays
        colour = ramp(np.clip(above / 0.34, 0, 1), tint, tint, "6a5cff", "b04ad0")
        img += glow[..., None] * colour * (0.46, 0.26, 0.34)[layer]
    lake = y > 0.80
    mirrored = img[np.clip(2 * int(0.80 * shape[0]) - np.arange(shape[0]), 0, shape[0] - 1)]
    ripple = noise(rng, shape, 1.6, (1, 14)) * 9 * smooth(0.8, 1, y)
    rippled = np.stack([warp(mirrored[..., c], ripple, ripple * 0.3) for c in range(3)], -1)
    img = np.where(lake[..., None], rippled * 0.62 + np.array([0.0, 0.01, 0.02]), img)
    ridge = 0.735 + 0.022 * noise(rng, (1, shape[1]), 2.2) - 0.05 * np.exp(-((x - 1.16) / 0.2) ** 2)
    rock = smooth(0, 0.002, y - ridge) * (y <= 0.80) + smooth(0.0, 0.004, (1.6 - ridge) - y) * (y > 0.80)
    dark = ramp(unit(noise(rng, shape, 1.8)), "03060a", "0a1417", "0d1a1c")
    return mix(img, dark, np.clip(rock, 0, 1) * 0.96)


def dunes(rng):
    shape = WIDE
    y, x = grid(shape)
    bend = noise(rng, shape, 5.0, (1.2, 1))
    phase = 5.2 * (y * 1.6 + 0.35 * x) + bend * 0.62
    saw = phase / 1.0 % 1.0
    slope = np.where(saw < 0.72, saw / 0.72, (1 - saw) / 0.28)
    dune = slope**1.25 * 74 * (0.55 + 0.75 * y) + noise(rng, shape, 4.8) * 16
    ripples = np.sin((x * 150 + y * 60 + bend * 13 + noise(rng, shape, 4.0) * 3)) * (0.34 + 0.5 * y)
    light = shade(gaussian_filter(dune, 2.0) + ripples * 0.55, 292, 24, 1.0)
    sand = ramp(np.clip(light * 1.15, 0, 1), "2a1026", "6d2b33", "bf5a35", "eda052", "ffdf9e", "fff3d0")
    sand *= (1 + 0.045 * noise(rng, shape, 0.3))[..., None]
    haze = smooth(0.42, 0.0, y)
    return mix(sand, np.ones_like(sand) * np.array([0.96, 0.72, 0.55]), haze * 0.5)


def contours(rng):
    shape = TALL
    height = unit(gaussian_filter(noise(rng, shape, 3.9), 1.6))
    land = ramp(height, "f3ead6", "e7dcb8", "d3cf9f", "b5c08d", "cdb07c", "b98a64", "f5efe6")
    land *= (0.62 + 0.5 * shade(height, 315, 45, 260))[..., None]
    gy, gx = np.gradient(height)
    pitch = np.hypot(gy, gx) + 1e-6
    for step, width, dark in [(1 / 60, 0.85, 0.42), (1 / 12, 1.7, 0.72)]:
        away = np.abs((height / step + 0.5) % 1 - 0.5) * step / pitch
        land = mix(land, np.ones_like(land) * np.array([0.34, 0.2, 0.12]), smooth(width, width * 0.35, away) * dark)
    water = smooth(0.215, 0.205, height)
    sea = ramp(unit(height * -1), "dff0ef", "7fb9bf", "3e8796", "2a6579")
    sea = sea * (1 - 0.12 * smooth(0.3, 0.1, np.abs((height * 90) % 1 - 0.5))[..., None])
    land = mix(land, sea, water)
    y, x = grid(shape)
    for line in (x * 8 % 1, y * 8 % 1):
        land = mix(land, np.ones_like(land) * np.array([0.2, 0.3, 0.42]), smooth(0.004, 0.002, line) * 0.4)
    return land * (1 + 0.03 * noise(rng, shape, 0.4))[..., None]


def ink(rng):
    shape = TALL
    field = noise(rng, shape, 5.2)
    for turn in range(5):
        gy, gx = np.gradient(noise(rng, shape, 5.2))
        field = warp(field, gx * 9000 / (turn + 1.5), -gy * 9000 / (turn + 1.5))
    y, x = grid(shape)
    bands = unit(np.sin(field * 4.6 + 5 * y) + 0.25 * field)
    img = ramp(bands, "0b1d3a", "123f6b", "1e7fa0", "f4ead8", "f7f1e4", "e3a24b", "b3402f", "3b0f22", "0b1d3a")
    vein = np.abs(np.sin(field * 13 + 3 * x))
    img = mix(img, np.ones_like(img) * np.array([0.99, 0.92, 0.72]), smooth(0.07, 0.0, vein) * 0.75)
    return img * (0.86 + 0.2 * shade(field, 320, 50, 16))[..., None]


def coral(rng):
    shape = (534, 800)
    u, v = np.ones(shape), np.zeros(shape)
    y, x = grid(shape)
    polyp, _ = cKDTree(rng.random((700, 2)) * [1.0, 1.5]).query(np.stack([y, x], -1))
    v[polyp < 0.008] = 0.5
    feed, kill = 0.034 + 0.018 * x / 1.5, 0.0605 + 0.0018 * y

    def spread(a):
        return 0.2 * (np.roll(a, 1, 0) + np.roll(a, -1, 0) + np.roll(a, 1, 1) + np.roll(a, -1, 1)) - a + 0.05 * (
            np.roll(a, (1, 1), (0, 1)) + np.roll(a, (1, -1), (0, 1)) + np.roll(a, (-1, 1), (0, 1)) + np.roll(a, (-1, -1), (0, 1)))

    for _ in range(4600):
        react = u * v * v
        u += 0.2 * spread(u) - react + feed * (1 - u)
        v += 0.1 * spread(v) + react - (feed + kill) * v
    grown = np.asarray(Image.fromarray(v.astype(np.float32)).resize((1600, 1067), Image.Resampling.BICUBIC))
    grown = unit(grown)
    grain = noise(rng, WIDE, 1.0)
    light = shade(gaussian_filter(grown, 1.5) + grain * 0.003, 305, 38, 24)
    img = ramp(np.clip(grown * 0.75 + 0.1 * noise(rng, WIDE, 2.8) * 0.4, 0, 1), "061a2b", "0b3a4d", "c2415b", "f2836b", "ffd9b8")
    return img * (0.35 + 0.95 * light)[..., None] + smooth(0.93, 1.0, light)[..., None] * 0.25


def nebula(rng):
    shape = WIDE
    gas = noise(rng, shape, 2.7)
    for _ in range(3):
        gas = warp(gas, noise(rng, shape, 3.2) * 46, noise(rng, shape, 3.2) * 46)
    y, x = grid(shape)
    core = np.exp(-(((x - 0.92) / 0.62) ** 2 + ((y - 0.5 + 0.25 * (x - 0.75)) / 0.3) ** 2))
    glow = unit(gas) * core
    img = ramp(np.clip(glow * 1.5, 0, 1), "03040a", "160b2e", "4a1550", "b0304f", "f0774e", "ffd48a", "fff7e8")
    oxygen = unit(warp(gas, 55, 90) + 0.8 * noise(rng, shape, 2.9)) ** 2.4 * smooth(0.02, 0.75, core)
    img += oxygen[..., None] * np.array([0.02, 0.24, 0.33])
    dust = smooth(0.5, 0.86, unit(warp(noise(rng, shape, 2.5), gas * 30, gas * 30)))
    img *= (1 - 0.72 * dust * smooth(0.05, 0.5, core))[..., None]
    sky = stars(rng, shape, 9000) * (1 - 0.5 * dust)
    tint = ramp(unit(noise(rng, shape, 0.8)), "ffc9a0", "ffffff", "a9c8ff")
    return img + sky[..., None] * tint + 0.016 * rng.standard_normal(shape)[..., None]


def agate(rng):
    shape = TALL
    y, x = grid(shape)
    away = np.hypot((x - 0.36) * 1.12, (y - 0.54) * 0.92) + 0.055 * noise(rng, shape, 4.0) + 0.003 * noise(rng, shape, 2.6)
    away = gaussian_filter(away, 1.0)
    rhythm = np.cumsum(np.maximum(0.12, 1 + 0.85 * noise(rng, (1, 4096), 1.5)[0]))
    ring = np.interp(np.clip(away, 0, 1) * 4095, np.arange(4096), rhythm / rhythm[-1])
    band = 0.5 + 0.5 * np.sin(ring * 330) * np.sin(ring * 71 + 1)
    warm = ramp(band, "2b0f16", "7b2a23", "c9622f", "f0b16a", "fbe7cb")
    cold = ramp(band, "0f2233", "23506b", "6d9fb2", "cfe0e2", "ffffff")
    img = mix(warm, cold, smooth(0.24, 0.4, away + 0.04 * np.sin(ring * 40)))
    quartz = ramp(unit(noise(rng, shape, 1.5)), "a69bc4", "efe9fb", "ffffff")
    points, _ = cKDTree(rng.random((2600, 2)) * [1.0, 0.75]).query(np.stack([y, x], -1), k=2)
    facet = smooth(0, 0.006, points[..., 1] - points[..., 0])
    img = mix(img, quartz * (0.55 + 0.45 * facet)[..., None], smooth(0.115, 0.095, away))
    rind = smooth(0.56, 0.58, away)
    stone = ramp(unit(noise(rng, shape, 1.7)), "1a1613", "3a3029", "6a5a4a")
    img = mix(img, stone * (0.6 + 0.5 * shade(noise(rng, shape, 2.4), 315, 40, 4))[..., None], rind)
    return img * (1 + 0.025 * noise(rng, shape, 0.3))[..., None]


def attractor(rng):
    shape = WIDE
    a, b, c, d = -1.24, -1.25, -1.81, -1.91
    x, y = rng.uniform(-1, 1, 400_000), rng.uniform(-1, 1, 400_000)
    density, speed = np.zeros(shape), np.zeros(shape)
    for step in range(90):
        nx, ny = np.sin(a * y) + c * np.cos(a * x), np.sin(b * x) + d * np.cos(b * y)
        jump = np.hypot(nx - x, ny - y)
        x, y = nx, ny
        if step > 8:
            px = ((x / 6.1 + 0.5) * shape[1]).astype(int).clip(0, shape[1] - 1)
            py = ((y / 6.1 + 0.5) * shape[0]).astype(int).clip(0, shape[0] - 1)
            flat = py * shape[1] + px
            density += np.bincount(flat, minlength=density.size).reshape(shape)
            speed += np.bincount(flat, jump, minlength=density.size).reshape(shape)
    hue = unit(gaussian_filter(speed / np.maximum(density, 1), 1.2))
    veil = np.clip(np.log1p(density) / np.log1p(np.percentile(density, 99.7)), 0, 1)
    img = ramp(unit(grid(shape)[0]), "0a0d14", "0f1420") + 0.012 * noise(rng, shape, 0.5)[..., None]
    return mix(img, ramp(hue, "2ad4c9", "8fe3c0", "ffe9b0", "ff9a62", "d94f70"), veil**1.15)


def strata(rng):
    shape = WIDE
    y, x = grid(shape)
    fold = 0.055 * noise(rng, (1, shape[1]), 3.4) + 0.02 * noise(rng, shape, 3.4)
    fault = np.where(x + 0.28 * y > 0.98, 0.085, 0.0)
    depth = (y + fold + fault) * 1.02
    bed = np.interp(depth, np.linspace(-0.4, 1.5, 900), noise(rng, (1, 900), 1.0)[0])
    fine = np.interp(depth, np.linspace(-0.4, 1.5, 5000), noise(rng, (1, 5000), 0.5)[0])
    colour = ramp(unit(bed + 0.28 * fine + 0.22 * noise(rng, shape, 2.3, (1, 9))), "3c1f26", "7d3a33", "b9603f", "dc8f55", "efc488", "f6e6c8", "93a69a", "47616a")
    rough = bed * 2.2 + fine * 1.1 + noise(rng, shape, 2.4, (1.0, 3.0)) * 2.4 + noise(rng, shape, 2.4) * 0.8
    img = colour * (0.3 + 0.9 * shade(rough, 330, 42, 0.55))[..., None]
    crack = np.abs((x + 0.28 * y + 0.004 * noise(rng, shape, 2.2)) - 0.98)
    return img * (1 - 0.75 * smooth(0.006, 0.001, crack))[..., None]


def ridges(rng):
    shape = WIDE
    y, x = grid(shape)
    img = ramp(np.clip(y * 1.25, 0, 1), "35486b", "7d7f9c", "d9a9a0", "ffd7a8", "fff0cf")
    sun = np.hypot(x - 1.03, y - 0.40)
    img += np.exp(-((sun / 0.16) ** 2))[..., None] * np.array([0.35, 0.25, 0.1]) + smooth(0.046, 0.044, sun)[..., None] * 0.5
    count = 8
    for layer in range(count):
        near = layer / (count - 1)
        edge = 0.42 + 0.52 * near**1.15 + (0.030 + 0.018 * near) * noise(rng, (1, shape[1]), 2.15 - 0.25 * near)
        if layer > 3:
            edge = edge - 0.012 * near * np.abs(noise(rng, (1, shape[1]), 0.55)) ** 1.2
        below = y - edge
        tone = ramp(np.full(shape, near), "e8b9a0", "b58f98", "72718f", "41506f", "1f3146", "0c1826")
        fog = np.exp(-np.maximum(below, 0) / 0.10)[..., None]
        tone = tone * (0.82 + 0.05 * noise(rng, shape, 1.9)[..., None]) * (1 - 0.12 * fog) + 0.2 * (1 - fog) * (1 - near) * np.array([1.0, 0.86, 0.74])
        img = mix(img, tone, smooth(0, 0.0022, below))
    return img + 0.008 * noise(rng, shape, 0.2)[..., None]


def basalt(rng):
    shape = WIDE
    y, x = grid(shape)
    seeds = rng.random((330, 2)) * [1.2, 1.7] - 0.1
    for _ in range(6):
        cloud = rng.random((60_000, 2)) * [1.2, 1.7] - 0.1
        owner = cKDTree(seeds).query(cloud)[1]
        total = np.bincount(owner, minlength=len(seeds))[:, None]
        seeds = np.stack([np.bincount(owner, cloud[:, i], len(seeds)) for i in (0, 1)], -1) / np.maximum(total, 1)
    bend = 0.0035 * noise(rng, shape, 2.4)
    away, owner = cKDTree(seeds).query(np.stack([y + bend, x - bend], -1), k=2)
    gap = away[..., 1] - away[..., 0]
    level = rng.random(len(seeds))[owner[..., 0]]
    tilt = rng.normal(0, 1, (len(seeds), 2))[owner[..., 0]]
    top = level * 5 + (tilt[..., 0] * (y - seeds[owner[..., 0], 0]) + tilt[..., 1] * (x - seeds[owner[..., 0], 1])) * 26
    top = top + smooth(0, 0.012, gap) * 5 + noise(rng, shape, 1.9) * 0.7
    light = shade(top, 318, 36, 0.8)
    stone = ramp(np.clip(0.55 * level + 0.2 * unit(noise(rng, shape, 2.2)), 0, 1), "10161c", "2c3942", "55636a", "8b938f")
    moss = smooth(0.55, 0.9, unit(noise(rng, shape, 2.6))) * smooth(0.004, 0.02, gap) * smooth(0.3, 0.9, level)
    stone = mix(stone, ramp(unit(noise(rng, shape, 1.2)), "2f4a1c", "6f8f2f", "b9b84a"), moss * 0.85)
    lichen = smooth(0.80, 0.86, unit(noise(rng, shape, 1.75))) * smooth(0.006, 0.02, gap)
    stone = mix(stone, np.ones_like(stone) * np.array([0.86, 0.62, 0.27]), lichen * 0.7)
    return stone * (0.28 + 1.05 * light)[..., None] * (0.25 + 0.75 * smooth(0, 0.008, gap))[..., None]


def caustics(rng):
    shape = TALL
    light = np.zeros(shape)
    for scale, weight in [(1.0, 1.0), (0.7, 0.6)]:
        wave = noise(rng, shape, 4.3, (1.5 * scale, scale)) + 0.0
        gy, gx = np.gradient(wave)
        y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(float)
        for _ in range(4):
            jitter = rng.uniform(0, 1, (2, *shape))
            ly = (y + jitter[0] + gy * 1500 * scale).astype(int) % shape[0]
            lx = (x + jitter[1] + gx * 1500 * scale).astype(int) % shape[1]
            light += weight * np.bincount((ly * shape[1] + lx).ravel(), minlength=light.size).reshape(shape) / 4
    light = gaussian_filter(light, 0.9) / light.mean()
    y, x = grid(shape)
    net = np.clip(light / 2.6, 0, 1.4)
    bed = ramp(unit(noise(rng, shape, 2.3)), "0f6b78", "2b97a0", "63bdb5", "b7ddc2")
    pebble = shade(noise(rng, shape, 2.2), 320, 45, 2.6)
    img = bed * (0.28 + 0.4 * pebble + 0.62 * net)[..., None]
    img = mix(img, img * np.array([0.25, 0.55, 0.8]), smooth(0.15, 1.0, y) * 0.85)
    return img + (smooth(0.7, 1.3, net) * 0.42)[..., None] * np.array([0.95, 1.0, 0.9])


def feather(rng):
    shape = WIDE
    angle = gaussian_filter(noise(rng, shape, 3.5, (1, 1.4)), 6) * 0.8
    img = ramp(unit(grid(shape)[0] + 0.1 * noise(rng, shape, 3)), "f7f1e5", "efe4cf")
    trail, tone = np.zeros(shape), np.zeros(shape)
    y, x = rng.uniform(0, shape[0], 9000), rng.uniform(-150, shape[1], 9000)
    hue = unit(map_coordinates(noise(rng, shape, 3.2), [y, x], mode="nearest"))
    for _ in range(230):
        a = map_coordinates(angle, [y, x], order=1, mode="nearest")
        y, x = y + np.sin(a) * 0.9, x + np.cos(a) * 0.9
        inside = (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
        flat = y[inside].astype(int) * shape[1] + x[inside].astype(int)
        trail += np.bincount(flat, minlength=trail.size).reshape(shape)
        tone += np.bincount(flat, hue[inside], trail.size).reshape(shape)
    colour = ramp(gaussian_filter(tone, 0.7) / np.maximum(gaussian_filter(trail, 0.7), 1e-3), "0f3b4c", "1f6f78", "c8963e", "b5472f", "4a1e3a")
    return mix(img, colour, np.clip(gaussian_filter(trail, 0.55) * 0.62, 0, 1)) * (1 + 0.02 * noise(rng, shape, 0.4))[..., None]


PICTURES = {p.__name__: (p, seed) for p, seed in [
    (aurora, 7), (dunes, 3), (contours, 11), (ink, 5), (coral, 2), (nebula, 19), (agate, 23), (attractor, 1),
    (strata, 31), (ridges, 12), (basalt, 8), (caustics, 4), (feather, 21)]}


def save(pixels, path):
    image = Image.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))
    best = None
    for quality in range(92, 38, -3):
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality, progressive=True, optimize=True)
        if best is None or abs(out.tell() - TARGET) < abs(len(best) - TARGET):
            best = out.getvalue()
    path.write_bytes(best)
    print(f"{path.name}: {image.size[0]}×{image.size[1]}, {len(best):,} bytes", flush=True)


if __name__ == "__main__":
    for name in sys.argv[2:] or PICTURES:
        draw, seed = PICTURES[name]
        save(draw(np.random.default_rng(seed)), Path(sys.argv[1]) / f"{name}.jpg")
