"""`python -m benchmarks <which>`: one command for each comparison; `--help` after its name shows its options."""

import sys

from benchmarks import adapter, dbproxy, dbproxy_mysql, dbproxy_redis, footprint, shipper

BENCHMARKS = {
    "adapter": adapter.main,
    "dbproxy": dbproxy.main,
    "dbproxy-mysql": dbproxy_mysql.main,
    "dbproxy-redis": dbproxy_redis.main,
    "footprint": footprint.main,
    "shipper": shipper.main,
}


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1] not in BENCHMARKS:
        print(f"usage: python -m benchmarks {'|'.join(BENCHMARKS)} [--quick]", file=sys.stderr)
        return 64
    return BENCHMARKS[sys.argv[1]](sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
