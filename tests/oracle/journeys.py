"""Journeys walked day by day, customer by customer, in dull Python."""

END = "end"


def entries(case):
    """Return the entries of one customer: dicts with a walk each.

    case: definition (as Journey.to_dict), segments: day -> segment or None, orders: (day, amount),
    events: (day, event, step), first, until, as_of: days as numbers, sent: (day of entry, step) ->
    day, counts: whether an order converts; perhaps migrate_on: the day on which walks end for the
    next version, and earlier: the entries of the version before.
    """
    definition, as_of = case["definition"], case["as_of"]
    window = definition["conversion"]["within_days"]
    earlier = case.get("earlier", [])
    moved = [one for one in earlier if one["moves"]]
    found, ended = [], earlier[-1]["ended"] if earlier else None
    for day in range(as_of + 1):
        if moved and day == case["first"]:
            stop = moved[-1]["stop"]
        else:
            stop = entered(case, day)
            if stop is None or not (case["kept"] is None or case["kept"](day)):
                continue
            before = [*earlier, *found]
            if before and not again(definition["reentry"], before[-1]["triggered"], ended, day):
                continue
        walk = {"triggered": day, "stop": stop}
        found.append(walk)
        # Whether the walk ends before the next entry may decide whether there is one.
        ended = walked(case, walk, conversion_days(case, day, day + window))["ended"]
    for place, walk in enumerate(found):
        until = walk["triggered"] + window
        if place + 1 < len(found):
            until = min(until, found[place + 1]["triggered"])
        walk["moves"] = moves(case, walk)
        if walk["moves"]:
            until = min(until, case["migrate_on"])
        days = conversion_days(case, walk["triggered"], until)
        walk.update(walked(case, walk, days))
        walk["converted"] = days[0] if days else None
        walk["conversions"] = len(days)
        walk["value"] = sum(
            amount
            for at, amount in case["orders"]
            if walk["triggered"] < at <= min(until, as_of)
            and (amount < 0 or case["counts"](amount))
        )
    return found


def moves(case, walk):
    """Return whether a walk is not over when the next version takes it up."""
    day = case.get("migrate_on")
    if day is None or day > case["as_of"]:
        return False
    then = {**case, "as_of": day - 1}
    until = walk["triggered"] + case["definition"]["conversion"]["within_days"]
    return (
        walked(then, walk, conversion_days(then, walk["triggered"], until))["status"] == "waiting"
    )


def entered(case, day):
    """Return the day on which the segment that is entered on a day ends; None without entry."""
    definition, segments = case["definition"], case["segments"]
    wanted = definition["trigger"]["enters"]
    now, before = segments(day), segments(day - 1)
    if now != wanted or not case["first"] <= day <= case["until"]:
        return None
    if before == wanted:
        if not (definition["already_in"] == "enter" and day == case["first"]):
            return None
    elif definition["trigger"].get("from") and before not in definition["trigger"]["from"]:
        return None
    stop = day
    while stop < case["last"] and segments(stop) == wanted:
        stop += 1
    return stop if stop < case["last"] else 10**6


def again(reentry, last, ended, day):
    """Return whether a customer may enter again on a day."""
    policy = reentry["policy"]
    if policy == "once":
        return False
    if policy == "after_days":
        return day - last >= reentry["days"]
    return policy == "each_entry" or (ended is not None and day > ended)


def conversion_days(case, after, until):
    """Return the days of conversions after a day, up to another, one for each."""
    until = min(until, case["as_of"])
    conversion = case["definition"]["conversion"]
    if "enters" in conversion:
        wanted, segments = conversion["enters"], case["segments"]
        return [
            day
            for day in range(after + 1, until + 1)
            if segments(day) == wanted != segments(day - 1)
        ]
    return sorted(
        day
        for day, amount in case["orders"]
        if after < day <= until and amount >= 0 and case["counts"](amount)
    )


def exit_on(case, walk, conversions, day):
    """Return how a walk ends on a day, if it does."""
    if day <= walk["triggered"]:
        # Who is taken up from the version before may have left the segment already.
        has_left = "left_segment" in case["definition"]["exit"] and walk["stop"] <= day
        return "left" if has_left else None
    for one in case["definition"]["exit"]:
        if one == "converted" and day in conversions:
            return "converted"
    for one in case["definition"]["exit"]:
        if one == "left_segment" and day == walk["stop"]:
            return "left"
        if one.startswith("event:") and happened(case, one[len("event:") :], None, day):
            return "left"
    return "left" if day == case.get("migrate_on") else None


def happened(case, event, step, day):
    """Return whether an event happened on a day."""
    if event == "order":
        return any(at == day and amount >= 0 for at, amount in case["orders"])
    return any(
        at == day and what == event and (step is None or of == step)
        for at, what, of in case["events"]
    )


class Walk:
    """Where a customer is on the way through the steps, day by day."""

    def __init__(self, case, triggered):
        self.case, self.triggered = case, triggered
        self.steps = {one["name"]: one for one in case["definition"]["steps"]}
        # What comes next, since when it is waited for, and whether that is in a wait.
        self.here, self.at, self.is_in = next(iter(self.steps)), triggered, False
        self.reached, self.since, self.visits = None, triggered, []

    def go(self, key, day):
        """Go on to a target of the step, as of a day."""
        names = list(self.steps)
        place = names.index(self.here) + 1
        following = names[place] if place < len(names) else END
        self.here, self.at, self.is_in = self.steps[self.here].get(key, following), day, False

    def on(self, day):
        """Do what is due on a day, one thing after the other."""
        moved = True
        while moved and self.here != END and day >= self.at:
            one = self.steps[self.here]
            moved = self.act(one, day) if "action" in one else self.wait(one["wait_for"], day)

    def act(self, one, day):
        if day != self.at + one.get("wait_days", 0):
            return False
        self.visits.append((self.here, day))
        at = max(day, self.case["sent"].get((self.triggered, self.here), day))
        self.reached, self.since = self.here, at
        self.go("then", at)
        return True

    def wait(self, waited, day):
        if not self.is_in:
            self.visits.append((self.here, day))
            self.reached, self.since, self.is_in = self.here, day, True
        if day == self.at + waited["within_days"] + 1:
            self.go("otherwise", day)
            return True
        if day > self.at and happened(self.case, waited["event"], waited.get("step"), day):
            self.go("then", day)
            return True
        return False

    def next_action(self):
        """Return the next action, and when it is due, if nothing more happens."""
        while self.here != END and "wait_for" in self.steps[self.here]:
            late = self.at + self.steps[self.here]["wait_for"]["within_days"] + 1
            self.go("otherwise", late)
        if self.here == END:
            return None, None
        return self.here, self.at + self.steps[self.here].get("wait_days", 0)


def walked(case, entry, conversions):
    """Return how far a walk has come."""
    walk = Walk(case, entry["triggered"])
    status, ended = "waiting", None
    for day in range(entry["triggered"], case["as_of"] + 1):
        status = exit_on(case, entry, conversions, day) or "waiting"
        if status == "waiting":
            walk.on(day)
            if walk.here == END and day >= walk.at:
                status = "completed"
        if status != "waiting":
            ended = day
            break
    coming, due = walk.next_action() if status == "waiting" else (None, None)
    return {
        "visits": walk.visits, "step": walk.reached, "since": walk.since, "next_step": coming,
        "due": due, "status": status, "ended": ended,
    }  # fmt: skip
