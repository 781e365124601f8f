"""usage: report_page.py RUN_DIR [FIGURE..]: whether report.html is a page that holds the run.

Every tag is closed, ids are unique, links within the page lead to one, nothing is loaded from elsewhere; the rows
of the table of all metrics are those of stats.csv, the failed cells those of samples.csv; the figures are there."""

import csv
import html.parser
import pathlib
import sys

VOID = {"meta", "link", "input", "img", "br"}


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.loads, self.figures, self.rows = [], [], [], [], [], []
        self.table, self.cell, self.language = None, None, None

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "html":
            self.language = given.get("lang")
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a":
            self.links.append(given["href"])
        elif "src" in given or "href" in given:
            self.loads.append(given.get("src") or given.get("href"))
        if tag == "section":
            self.section = given["id"]
        if tag == "figure":
            self.figures.append(given["id"])
        if tag == "img":
            assert len(given["alt"]) > 20, given["alt"]
        if tag == "tr":
            self.rows.append([self.section])
        if tag in ("td", "th"):
            self.cell = ""

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another tag, line {self.getpos()[0]}"
        if tag in ("td", "th"):
            self.rows[-1].append(self.cell)
            self.cell = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def main():
    folder = pathlib.Path(sys.argv[1])
    page = Page()
    page.feed((folder / "report.html").read_text(encoding="utf-8"))
    assert not page.open and page.language == "en", page.open
    assert len(set(page.ids)) == len(page.ids), "an id is there twice"
    assert all(link[1:] in page.ids for link in page.links if link[0] == "#"), "a link leads nowhere"
    assert all(link[0] == "#" for link in page.links), "a link leaves the page"
    assert all(load.startswith("data:") for load in page.loads), "something is loaded from elsewhere"
    assert page.figures == [f"figure-{name}" for name in sys.argv[2:]], page.figures
    stats = rows(folder / "stats.csv")
    shown = [row for row in page.rows if row[0] == "metrics" and row[1] != "workload"]
    assert [row[3] for row in shown] == [row["metric"] for row in stats], "not the rows of stats.csv"
    for row, is_of in zip(shown, stats):
        assert row[1].startswith(is_of["cell"].split("/" + is_of["allocator"] + "/")[0] + ", "), row
        assert is_of["verdict"] == "NA" or row[10], row
        if is_of["unit"] == "ns/op":
            assert abs(float(row[4]) / float(is_of["median"]) - 1) < 0.001, row
    failed = {row["cell"] for row in rows(folder / "samples.csv") if row["status"] != "ok"}
    assert failed == {row[1] for row in page.rows if row[0] == "failed"} - {"cell"}, "not the failed cells"


main()
