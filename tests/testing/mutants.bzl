"""Libraries with known mistakes in them, for tests that must see them."""

load("@rules_cc//cc:defs.bzl", "cc_library")

def mutant_library(name, srcs, mutations, deps = [], copied_srcs = [], **kwargs):
    """A cc_library in which the mistakes of `mutations` can be switched on.

    Args:
      name: of the library.
      srcs: labels of the sources, each as "//package:file.cc", that have mutations.
      mutations: the file with them, or a list of such files; the format is told
        in mutate.py.
      deps: what the sources need.
      copied_srcs: sources and headers without mutations.
      **kwargs: for cc_library.
    """
    names = [src.rpartition(":")[2] for src in srcs]
    if type(mutations) == type(""):
        mutations = [mutations]
    native.genrule(
        name = name + "_sources",
        srcs = srcs + mutations,
        outs = [name + "/" + source for source in names],
        cmd = "$(location //tests/testing:mutate) %s $(RULEDIR)/%s %s" % (
            ",".join(["$(location %s)" % file for file in mutations]),
            name,
            " ".join(["$(location %s)" % src for src in srcs]),
        ),
        exec_tools = ["//tests/testing:mutate"],
        testonly = True,
    )
    cc_library(
        name = name,
        testonly = True,
        srcs = [":" + name + "_sources"] + copied_srcs,
        deps = deps + ["//tests/testing:mutant"],
        **kwargs
    )
