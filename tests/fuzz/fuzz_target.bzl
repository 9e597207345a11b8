"""A fuzz target: libFuzzer's binary, and an ordinary test that replays the corpus."""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_test")

def fuzz_target(name, deps):
    """The function LLVMFuzzerTestOneInput of <name>.cc.

    Args:
      name: of the target; //tests/fuzz:<name> needs --config=fuzz, see tools/fuzz.
        <name>_corpus_test feeds it the files of corpus/<name>.
      deps: what it needs.
    """
    cc_binary(
        name = name,
        testonly = True,
        srcs = [
            name + ".cc",
            "fuzz_check.h",
        ],
        tags = [
            "fuzz",
            "manual",
        ],
        deps = deps,
    )
    cc_test(
        name = name + "_corpus_test",
        size = "small",
        srcs = [
            name + ".cc",
            "fuzz_check.h",
            "replay_corpus_main.cc",
        ],
        args = ["tests/fuzz/corpus/" + name],
        data = native.glob(["corpus/%s/*" % name]),
        deps = deps,
    )
