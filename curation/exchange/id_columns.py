"""Which columns are ids: of prompts, of traces."""

from curation.exchange.guess import Roles
from curation.exchange.looking import Column
from curation.tables.user_messages import parse_list


def find_ids(roles: Roles, of_traces: bool) -> None:
    """The ids of prompts and of traces: an id that each row has alone, in a file with several rows a prompt, is a
    trace's."""
    prompts = _count_prompts(roles)
    found = [one for one in roles.find("prompt_id") if not one.nulls and may_be_id(one)]
    several = 0 < prompts < roles.look.rows
    for one in found:
        alone = one.distinct == roles.look.rows
        if of_traces and several and alone:
            continue
        if one.distinct < prompts:
            continue  # one id of two prompts
        roles.set("prompt_id", one, "", [other for other in found if other is not one])
        break
    traces = [one for one in roles.find("trace_id") if not one.nulls and one.distinct == roles.look.rows]
    if of_traces and traces and may_be_id(traces[0]):
        roles.set("trace_id", traces[0], "", traces[1:])


def _count_prompts(roles: Roles) -> int:
    """How many prompts the file has, 0 where it has none: conversations differ in their last turn alone where they are
    samples of one."""
    if name := roles.columns.get("prompt"):
        return roles.look.columns[name].distinct
    if name := roles.columns.get("messages"):
        lists = (parse_list(one) if isinstance(one, str) else one for one in roles.look.columns[name].given)
        return len({repr(one[:-1]) for one in lists if isinstance(one, list)})
    return 0


def may_be_id(column: Column) -> bool:
    """Whether all values are texts or whole numbers that no float cuts."""
    return all(isinstance(value, str) or (isinstance(value, int) and abs(value) < 2**53) for value in column.given)
