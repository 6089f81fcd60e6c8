#!/usr/bin/env python3
"""Prints what a run of BoGo came to: the failures, a table by area, and the cases that config.json excludes.

    report.py CONFIG CASES RESULTS

Fails if a case failed, or if config.json says something that is not so: a pattern that matches no case, a group without a
reason. The runner knows only DisabledTests and ErrorMap of config.json; Groups and Areas are for this report.
"""

import collections
import fnmatch
import json
import sys
import textwrap


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def first_match(name, patterns):
    """What `patterns` says of `name`: the value of the first pattern that matches."""
    return next((value for pattern, value in patterns.items() if matches(name, pattern)), None)


def matches(name, pattern):
    return fnmatch.fnmatchcase(name, pattern.replace("[^", "[!"))


def mistakes(config, cases):
    """The sentences of config.json that are not so."""
    groups = config["Groups"]
    for pattern, group in config["DisabledTests"].items():
        if group not in groups:
            yield f"DisabledTests: {pattern!r} names the group {group!r}, which has no reason in Groups"
        if not any(matches(name, pattern) for name in cases):
            yield f"DisabledTests: {pattern!r} matches no case"
    for group in groups.keys() - config["DisabledTests"].values():
        yield f"Groups: {group!r} has no case in DisabledTests"
    for pattern in config["Areas"]:
        if not any(matches(name, pattern) for name in cases):
            yield f"Areas: {pattern!r} matches no case"


def print_table(config, results):
    areas = dict.fromkeys(config["Areas"].values())
    counts = {area: collections.Counter() for area in areas}
    for name, result in results.items():
        counts[first_match(name, config["Areas"])][result["actual"]] += 1
    print(f"{'area':<36} {'passed':>7} {'failed':>7} {'unimplemented':>14}")
    for area, count in counts.items():
        if count:
            print(f"{area:<36} {count['PASS']:>7} {count['FAIL']:>7} {count['SKIP']:>14}")


def print_excluded(config, cases):
    excluded = collections.Counter(first_match(name, config["DisabledTests"]) for name in cases)
    print(f"\n{excluded[None]} of {len(cases)} cases apply; excluded:")
    for group, reason in config["Groups"].items():
        print(textwrap.fill(f"{excluded[group]:>6}  {group}: {reason}", 120, subsequent_indent=" " * 8))


def main(config_path, cases_path, results_path):
    config, cases, results = load(config_path), load(cases_path)["tests"], load(results_path)["tests"]
    wrong = list(mistakes(config, cases))
    for name, result in results.items():
        if result["actual"] == "FAIL":
            print(f"FAILED {name}\n{result['error']}")
        elif result["actual"] == "SKIP":
            print(f"UNIMPLEMENTED {name}")
    print_table(config, results)
    print_excluded(config, cases)
    for mistake in wrong:
        print(f"config.json: {mistake}")
    passed = sum(result["actual"] == "PASS" for result in results.values())
    failed = len(results) - passed + len(wrong)
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
