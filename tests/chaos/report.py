"""What a chaos run found: the table, and whether all promises held."""

import collections


class Report:
    def __init__(self, faults, submitter, collector, web, watcher, fleet, left, problems, memory, judged):
        self.faults = faults
        self.accepted = submitter.accepted
        self.refused = submitter.refused
        self.outcomes = collector.outcomes
        self.copies = collector.copies
        self.different = collector.different
        self.web = web
        self.watcher = watcher
        self.fleet = fleet
        self.left = left
        self.problems = problems
        self.memory = memory
        self.judged = judged
        self.lost = [task for task in self.accepted if task not in self.outcomes]

    def well(self):
        return not (self.lost or self.web.waiting() or self.different or self.left or self.problems
                    or self.judged["complaints"])

    def counts(self):
        return self.by_kind(outcome for _, outcome in self.outcomes.values())

    @staticmethod
    def by_kind(outcomes):
        counts = collections.Counter(outcome["outcome"] for outcome in outcomes)
        return {kind: counts.get(kind, 0) for kind in ("completed", "rejected", "expired", "failed")}

    def rescued(self, fault):
        """Tasks with an attempt that ended badly on the device of this fault, answered by another."""
        late = []
        for task, (when, outcome) in self.outcomes.items():
            tried = [one["device"] for one in outcome["attempts"] if one.get("end") != "ok"]
            accepted = self.accepted.get(task)
            if accepted and outcome["outcome"] == "completed" and fault.target in tried and (
                    accepted[0] <= fault.healed and fault.begun <= when <= accepted[0] + accepted[1]):
                late.append(when - max(accepted[0], fault.begun))
        return late

    def recovered(self, fault):
        """Until the first task was completed that was accepted after the fault had begun."""
        whens = [when for task, (when, outcome) in self.outcomes.items()
                 if outcome["outcome"] == "completed" and task in self.accepted
                 and min(when, self.accepted[task][0]) >= fault.begun]  # a confirm may come after its outcome
        return min(whens) - fault.begun if whens else None

    def seen(self, fault):
        """Until the controller knew, or another one led; None where neither came of it."""
        if fault.target in self.fleet.devices:
            states = ("draining", "lost") if fault.kind == "drain" else ("lost", "gone")
            return self.watcher.detected(fault.target, fault.begun, fault.healed + 3, states)
        if fault.target not in self.fleet.controllers:
            return None
        return self.watcher.led(fault.begun, fault.healed + 10)

    def summary(self):
        """By kind of fault: how many, and how soon each was seen and got over."""
        lines = [f"  {'kind of fault':<20} {'times':>5}  {'seen: times, median, max':>28}  "
                 f"{'next done: median, max':>24}"]
        for kind in sorted({fault.kind for fault in self.faults}):
            faults = [fault for fault in self.faults if fault.kind == kind]
            seen = sorted(s for s in map(self.seen, faults) if s is not None)
            done = sorted(s for s in map(self.recovered, faults) if s is not None)
            middle = lambda values: values[len(values) // 2]  # noqa: E731
            shown = f"{len(seen)}, {middle(seen):.2f} s, {seen[-1]:.2f} s" if seen else "-"
            over = f"{middle(done):.2f} s, {done[-1]:.2f} s" if done else "-"
            lines.append(f"  {kind:<20} {len(faults):>5}  {shown:>28}  {over:>24}")
        return lines

    def line(self, fault):
        seen = self.seen(fault)
        rescued = self.rescued(fault)
        moved = f"{len(rescued)} tasks elsewhere in {max(rescued):.1f} s" if rescued else ""
        recovered = self.recovered(fault)
        show = lambda seconds: f"{seconds:6.2f} s" if seconds is not None else "       -"  # noqa: E731
        return (f"  {fault.kind:<20} {fault.target:<8} {fault.seconds:5.1f} s {show(seen)}"
                f"  {show(recovered)}  {moved}")

    def text(self):
        counts = self.counts()
        lines = ["", "  fault                part       held     seen   next done",
                 *map(self.line, self.faults), "", *self.summary(), "",
                 "  seen: a device until it counted as lost, a controller until another one led",
                 "  next done: until a task was completed that was accepted after the fault began", ""]
        totals = {"accepted": len(self.accepted), **counts, "lost": len(self.lost),
                  "duplicated": len(self.different), "copies": self.copies,
                  "never accepted": self.refused}
        lines.append("  " + ", ".join(f"{word} {count}" for word, count in totals.items()))
        over_http = {"accepted": len(self.web.accepted), **self.by_kind(self.web.outcomes.values()),
                     "lost": len(self.web.waiting()), "handed over again": self.web.again}
        lines.append("  over HTTP: " + ", ".join(f"{word} {count}" for word, count in over_http.items()))
        status = self.watcher.status
        lines.append("  the last leader: " + ", ".join(
            f"{word} {status[word]}" for word in ("dispatched", "attempts_failed", "found_absent",
                                                  "false_alarms", "put_aside", "results_late", "hedged", "hedges_refused") if word in status))
        lines.append(f"  the journals, step by step: {self.judged.get('steps', 0)} steps of "
                     f"{self.judged.get('runs', 0)} runs, {len(self.judged['complaints'])} promises broken, "
                     f"{len(self.judged.get('unsure', []))} unsure, "
                     f"{len(self.judged.get('ended_early', []))} not whole")
        lines.append("  most memory: " + ", ".join(
            f"{name} {kib // 1024} MiB" for name, kib in sorted(self.memory.items())))
        for task in self.lost[:5]:
            lines.append(f"  LOST {task}")
        lines += [f"  LOST over HTTP: {task}" for task in self.web.waiting()[:5]]
        for first, second in self.different[:5]:
            lines.append(f"  TWICE {first}\n        {second}")
        lines += [f"  BROKEN {complaint}" for complaint in self.judged["complaints"]]
        if self.left:
            lines.append(f"  LEFT in queues: {self.left}")
        lines += [f"  PROBLEM: {problem}" for problem in self.problems]
        return "\n".join(lines)
