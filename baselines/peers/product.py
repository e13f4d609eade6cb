"""GFLOP/s of a 256x256x256 product of 32-bit floats with one thread: one JSON line.

The rate that a speed is to be read against: it says how fast the machine was in this sitting.
"""

import argparse

import common

SIZE = 256


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", choices=["numpy", "torch"], default="torch")
    parser.add_argument("--seconds", type=float, default=3.0)
    args = parser.parse_args()
    if args.library == "torch":
        import torch

        common.one_torch_thread()
        a, b, out = (torch.rand(SIZE, SIZE) for _ in range(3))

        def product():
            torch.mm(a, b, out=out)

    else:
        import numpy

        rng = numpy.random.default_rng(0)
        a, b, out = (rng.random((SIZE, SIZE), dtype=numpy.float32) for _ in range(3))

        def product():
            numpy.matmul(a, b, out=out)

    # The median of rounds of 100: a pause of the machine costs one round.
    times, end = [], common.clock() + args.seconds
    while common.clock() < end or len(times) < 3:
        start = common.clock()
        for _ in range(100):
            product()
        times.append((common.clock() - start) / 100)
    median = sorted(times)[len(times) // 2]
    common.emit(
        what="product",
        library=args.library,
        microseconds=round(median * 1e6, 1),
        gflops=round(2 * SIZE**3 / median / 1e9, 1),
        versions=common.versions(args.library),
    )


if __name__ == "__main__":
    main()
