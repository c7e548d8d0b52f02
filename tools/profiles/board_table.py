#!/usr/bin/env python3
"""Prints the table of five networks on every board, from the profiles: time alone, throughput and energy.

  tools/profiles/board_table.py [FOLDER]        profiles/ by default

For each board and network the processor and precision that answers a single picture soonest, and
the most pictures a second and the least energy of any processor, precision and batch. Energy above
idle, converted to the board's input, as decisions see it.
"""

import pathlib
import sys
import tomllib

NETWORKS = ["mobilenet_v3_large", "squeezenet1_1", "resnet18", "resnet50", "resnext50_32x4d"]
LETTERS = {"measured": "M", "published": "P", "derived": "D", "assumed": "A"}


def rows_of(board):
    for processor in board.get("processor", []):
        for profile in processor.get("profile", []):
            yield processor["id"], profile


def cell(value):
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def line(board, network):
    rows = [(processor, row) for processor, row in rows_of(board)
            if row["variant"].rsplit("-", 1)[0] == network]
    if not rows:
        return None
    where, alone = min(((processor, row) for processor, row in rows if row["batch"] == 1),
                       key=lambda found: found[1]["latency_us_mean"])
    on, most = max(rows, key=lambda found: found[1]["batch"] / found[1]["latency_us_mean"])
    factor = board["power"]["to_board_input"]["factor"]
    energy = [factor * row["energy_uj"] / row["batch"] / 1000
              for _, row in rows if "energy_uj" in row]
    return (f"| {network} | {alone['variant'].rsplit('-', 1)[1]} on {where} | "
            f"{LETTERS[alone['kind']]} {cell(alone['latency_us_mean'] / 1000)} | "
            f"{cell(1e6 * most['batch'] / most['latency_us_mean'])} "
            f"({most['variant'].rsplit('-', 1)[1]} on {on}, batch {most['batch']}) | "
            f"{cell(min(energy)) if energy else '-'} |")


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "profiles")
    print("| board | network | soonest | ms alone | most a second | least mJ |\n"
          "|---|---|---|--:|---|--:|")
    for file in sorted(folder.glob("*.toml")):
        with open(file, "rb") as source:
            board = tomllib.load(source)
        lines = [found for network in NETWORKS if (found := line(board, network))]
        for number, text in enumerate(lines):
            print(f"| {board['board'] if number == 0 else ''} {text}".replace("|  |", "| |"))


if __name__ == "__main__":
    main()
