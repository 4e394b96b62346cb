#!/usr/bin/env python3
"""Tests the checkers of this folder. Ends with a line `N passed, N failed`."""

import sys
import tempfile
import unittest

import check_documents
import check_forbidden
import check_layers
import second_look

LAYERS = [{"GatewayCore"}, {"Loop", "Tokens"}, {"Gateway"}, {"program"}]
C_IMPORTERS = {"CLoop": {"Loop"}}


def violations(changes=None, imports=None):
    """What is found in a small package that is in order, but for `changes`."""
    declared = {
        "CLoop": [], "GatewayCore": [], "Loop": ["CLoop", "GatewayCore"], "Tokens": ["GatewayCore"],
        "Gateway": ["GatewayCore", "Loop", "Tokens"], "program": ["Gateway"],
    }
    declared.update(changes or {})
    real = {name: set(names) for name, names in declared.items()}
    real.update(imports or {})
    return check_layers.violations(declared, real, LAYERS, C_IMPORTERS)


class LayersTest(unittest.TestCase):
    def test_a_package_in_order_passes(self):
        self.assertEqual(violations(), [])

    def test_the_core_may_not_import_anything(self):
        self.assertEqual(
            violations(imports={"GatewayCore": {"Glibc"}}),
            ["GatewayCore imports Glibc: the core imports nothing"])

    def test_no_module_may_depend_upwards(self):
        self.assertIn(
            "Loop depends on Gateway, which is not below it",
            violations({"Loop": ["CLoop", "GatewayCore", "Gateway"]}))

    def test_no_module_may_depend_sideways(self):
        self.assertIn(
            "Tokens depends on Loop, which is not below it", violations({"Tokens": ["GatewayCore", "Loop"]}))

    def test_a_c_library_has_one_importer(self):
        self.assertEqual(
            violations({"Gateway": ["CLoop", "GatewayCore", "Loop", "Tokens"]}),
            ["Gateway may not depend on CLoop: that is for Loop"])

    def test_an_import_must_be_declared(self):
        self.assertIn(
            "program imports Tokens without declaring it in Package.swift",
            violations(imports={"program": {"Gateway", "Tokens"}}))

    def test_a_declaration_must_be_used(self):
        self.assertEqual(
            violations(imports={"Tokens": set()}), ["Tokens declares GatewayCore and does not import it"])

    def test_foundation_is_refused(self):
        self.assertEqual(
            violations(imports={"Tokens": {"GatewayCore", "Foundation"}}),
            ["Tokens imports Foundation, which is neither ours nor the system's"])

    def test_an_unknown_module_must_be_placed(self):
        self.assertEqual(
            violations({"New": []}), ["New stands in no layer: add it to .ci/check_layers.py"])

    def test_every_form_of_import_is_read(self):
        text = "import A\npackage import B\n@testable import C\nimport struct D.E\n// import F\n internal import G"
        self.assertEqual(check_layers.imported_modules(text), {"A", "B", "C", "D", "G"})


class ForbiddenTest(unittest.TestCase):
    def found(self, text, path="Sources/Gateway/File.swift"):
        return [rule for _, rule in check_forbidden.findings(path, text)]

    def test_comments_and_strings_are_not_code(self):
        self.assertEqual(self.found('// try! this\nlet text = "fatalError("\n'), [])

    def test_a_link_in_a_string_does_not_hide_what_follows(self):
        self.assertEqual(len(self.found('let a = "http://x"; try! b()\n')), 1)

    def test_traps_are_found(self):
        self.assertEqual(len(self.found("let a = try! b()\nlet c = d as! E\n")), 2)

    def test_unchecked_sendable_needs_its_reason_beside_it(self):
        self.assertEqual(len(self.found("final class A: @unchecked Sendable {}\n")), 1)
        self.assertEqual(self.found("/// One thread touches it.\nfinal class A: @unchecked Sendable {\n"), [])

    def test_tests_may_trap_and_may_not_sleep(self):
        path = "Tests/GatewayTests/File.swift"
        self.assertEqual(self.found("let a = try! b()\n", path), [])
        self.assertEqual(len(self.found("usleep(1000)\n", path)), 1)
        self.assertEqual(self.found("while !isTrue() {\n    usleep(1000)\n}\n", path), [])


class DocumentsTest(unittest.TestCase):
    def test_anchors_are_made_as_a_forge_makes_them(self):
        self.assertEqual(check_documents.anchor("## 4. Gateway to `client`, now"), "4-gateway-to-client-now")

    def test_links_are_read_outside_of_code(self):
        text = "[a](b.md#c) `[d](e)`\n```\n[f](g)\n```\n[h](i.md)\n"
        self.assertEqual(list(check_documents.links(text)), [(1, "b.md#c"), (5, "i.md")])


    def test_named_tests_and_files_must_be_there(self):
        root = check_documents.pathlib.Path(__file__).resolve().parent.parent
        text = "`test_a`, `test_b`\n`Sources/None.swift` and `bench/check.py --write`, `bench/check.py`\n"
        self.assertEqual(
            list(check_documents.missing_names(text, root, {"test_a"})), [(1, "test_b"), (2, "Sources/None.swift")])

    def test_log_lines_are_read_from_code_and_table(self):
        code = 'logger.warn("a", [:])\nx.logger.info(\n    "b c",\n)\nLogFormat.json.line(\n  .error, "d", [:])\n'
        self.assertEqual(
            check_documents.log_lines(code), {("a", "warn"), ("b c", "info"), ("d", "error")})
        table = "| body | level |\n| `a`, `e` | warn | when |\n| `x` | gauge | |\n"
        self.assertEqual(check_documents.log_rows(table), {("a", "warn"), ("e", "warn")})


class SecondLookTest(unittest.TestCase):
    FIRST = {"suite a": "passed", "suite b": "timed out", "suite c": "skipped"}

    def test_without_failures_there_is_only_the_count(self):
        self.assertEqual(second_look.judge({"suite a": "passed"}, None, None), (["1 passed, 0 failed"], True))

    def test_a_test_that_passes_alone_is_named_and_counts_as_passed(self):
        self.assertEqual(
            second_look.judge(self.FIRST, {"suite b": "passed"}, None),
            (["unsteady: suite b: timed out", "2 passed, 0 failed, 1 skipped"], True))

    def test_a_test_that_fails_again_or_did_not_run_again_has_failed(self):
        for again in ({"suite b": "no answer"}, {}, None):
            self.assertEqual(
                second_look.judge(self.FIRST, again, None),
                (["failed: suite b: timed out", "1 passed, 1 failed, 1 skipped"], False))

    def test_a_crash_has_failed_whatever_passed(self):
        self.assertEqual(
            second_look.judge({"suite a": "passed"}, None, "it ended with 139"),
            (["failed: it ended with 139", "1 passed, 1 failed"], False))

    def test_a_run_without_a_test_is_not_well(self):
        self.assertEqual(second_look.judge({}, None, None), (["0 passed, 0 failed"], False))

    def test_three_failures_deserve_a_second_look_and_four_do_not(self):
        for count, deserves in ((0, False), (1, True), (3, True), (4, False)):
            found = {f"suite {number}": "wrong" for number in range(count)}
            self.assertEqual(second_look.deserves_second_look(found), deserves)

    def test_reports_are_read_as_the_runners_write_them(self):
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as report:
            report.write("""<testsuites><testsuite>
                <testcase classname="s" name="a"/><testcase classname="s" name="b"><skipped/></testcase>
                <testcase classname="s" name="c"><failure message="no
                answer"/></testcase><testcase classname="s" name="c"><error message="left open"/></testcase>
                </testsuite></testsuites>""")
            report.flush()
            self.assertEqual(
                second_look.outcomes([report.name, "missing.xml"]),
                {"s a": "passed", "s b": "skipped", "s c": "left open"})


if __name__ == "__main__":
    run = unittest.main(exit=False, verbosity=1).result
    failed = len(run.failures) + len(run.errors)
    if "--quiet" not in sys.argv:
        print(f"{run.testsRun - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
