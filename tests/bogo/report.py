#!/usr/bin/env python3
"""Prints what a run of BoGo came to: the failures, a table by area, the cases that config.json excludes, and the certificate core.

    report.py CONFIG CASES RESULTS

Fails if a case failed, or if config.json says something that is not so: a pattern that matches no case, a group without a
reason, a case that ends otherwise than it says. The runner knows only DisabledTests and ErrorMap of config.json; the rest is for
this report.
"""

import collections
import fnmatch
import json
import sys
import textwrap

PASSED, OTHERWISE, FAILED, UNIMPLEMENTED = "passed", "otherwise", "failed", "unimplemented"


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def matches(name, pattern):
    return fnmatch.fnmatchcase(name, pattern.replace("[^", "[!"))


def first_match(name, patterns):
    """What `patterns` says of `name`: the value of the first pattern that matches."""
    return next((value for pattern, value in patterns.items() if matches(name, pattern)), None)


class Report:
    def __init__(self, config, cases, results):
        self.config, self.cases = config, cases
        self.excluded = {name: first_match(name, config["DisabledTests"]) for name in cases}
        self.otherwise = {pattern: name for name, group in config["Otherwise"].items() for pattern in group["cases"]}
        self.wrong = list(self.mistakes())
        self.ended = {name: self.end_of(name, result) for name, result in results.items()}

    def mistakes(self):
        """The sentences of config.json that are not so."""
        groups = self.config["Groups"]
        for pattern, group in self.config["DisabledTests"].items():
            if group not in groups:
                yield f"DisabledTests: {pattern!r} names the group {group!r}, which has no reason in Groups"
        for group in groups.keys() - self.config["DisabledTests"].values():
            yield f"Groups: {group!r} has no case in DisabledTests"
        for section in ("DisabledTests", "Areas"):
            yield from self.unmatched(section, self.config[section])
        yield from self.unmatched("Otherwise", self.otherwise)
        yield from self.mistakes_of_core()

    def mistakes_of_core(self):
        """What is outside has a sentence; what is inside and yet excepted is named case by case."""
        outside = self.config["Core"]["outside"]
        groups = self.config["Groups"].keys() | self.config["Otherwise"].keys()
        yield from self.unmatched("Core", outside.keys() - groups)
        for pattern, group in {**self.config["DisabledTests"], **self.otherwise}.items():
            covers = [name for name in self.cases if matches(name, pattern)]
            if group not in outside and covers != [pattern] and not all(self.is_outside(name) for name in covers):
                yield f"Core: {pattern!r} of {group!r} is more than one case"

    def unmatched(self, section, patterns):
        for pattern in patterns:
            if not any(matches(name, pattern) for name in self.cases):
                yield f"{section}: {pattern!r} matches no case"

    def end_of(self, name, result):
        """How a case ended: as the runner expects it, otherwise but exactly as config.json says, or badly."""
        otherwise = first_match(name, self.otherwise)
        if result["actual"] == "SKIP":
            print(f"UNIMPLEMENTED {name}")
            return UNIMPLEMENTED
        if result["actual"] == "PASS":
            if otherwise:
                self.wrong.append(f"Otherwise: {name} passes, though {otherwise!r} says how it fails")
            return PASSED
        if otherwise and all(part in result["error"] for part in self.config["Otherwise"][otherwise]["outcome"]):
            return OTHERWISE
        print(f"FAILED {name}\n{result['error']}")
        return FAILED

    def print_areas(self):
        columns = (PASSED, OTHERWISE, FAILED, UNIMPLEMENTED)
        counts = {area: collections.Counter() for area in self.config["Areas"].values()}
        for name, ending in self.ended.items():
            counts[first_match(name, self.config["Areas"])][ending] += 1
        counts["total"] = sum(counts.values(), collections.Counter())
        print(f"{'area':<40}" + "".join(f"{column:>14}" for column in columns))
        for area, count in counts.items():
            if count:
                print(f"{area:<40}" + "".join(f"{count[column]:>14}" for column in columns))

    def print_otherwise(self):
        print("\nNot as the runner expects it, but exactly so:")
        counts = collections.Counter(
            first_match(name, self.otherwise) for name, ending in self.ended.items() if ending == OTHERWISE
        )
        for group, count in counts.items():
            print_group(count, group, self.config["Otherwise"][group]["reason"])

    def print_excluded(self):
        counts = collections.Counter(self.excluded.values())
        print(f"\n{len(self.cases)} cases are known to the runner, {counts[None]} apply; excluded:")
        for group, reason in self.config["Groups"].items():
            print_group(counts[group], group, reason)

    def is_outside(self, name):
        """Whether a case is none of the certificate core: it is of a pattern or in a group that has a sentence there."""
        outside = self.config["Core"]["outside"]
        groups = {self.excluded[name], first_match(name, self.otherwise)}
        return bool(groups & outside.keys()) or any(matches(name, pattern) for pattern in outside)

    def print_core(self):
        """The certificate core: all that applies and all that is excluded, but for what config.json puts outside."""
        inside = {name: self.ended.get(name) for name in self.cases if not self.is_outside(name)}
        print("\nOf the certificate core, not as the runner expects it:")
        for name, ending in inside.items():
            if ending != PASSED:
                print(f"  {name}: {self.excluded[name] or first_match(name, self.otherwise) or ending}")
        counts = collections.Counter(inside.values())
        right = counts[PASSED] + counts[OTHERWISE]
        print(
            f"certificate core: {len(inside)} cases, {counts[PASSED]} ({counts[PASSED] / len(inside):.1%}) passed, with those that "
            f"end as an RFC says instead {right} ({right / len(inside):.1%}); {counts[None]} excluded"
        )


def print_group(count, group, reason):
    print(textwrap.fill(f"{count:>6}  {group}: {reason}", 120, subsequent_indent=" " * 8))


def main(config_path, cases_path, results_path):
    report = Report(load(config_path), load(cases_path)["tests"], load(results_path)["tests"])
    report.print_areas()
    report.print_otherwise()
    report.print_excluded()
    report.print_core()
    for mistake in report.wrong:
        print(f"config.json: {mistake}")
    counts = collections.Counter(report.ended.values())
    failed = counts[FAILED] + counts[UNIMPLEMENTED] + len(report.wrong)
    print(f"{counts[PASSED]} passed, {counts[OTHERWISE]} otherwise, {failed} failed")
    return 0 if counts[PASSED] and not failed else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
