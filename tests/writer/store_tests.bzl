"""The writer's tests over the stores that they are not written for.

`fork_test` is about mapped files; `fork_test_pwrite` is the same program with
TINE_STORE=pwrite. Cases are left out with a reason, and only for these:
"""

# Of Store::kWritten, by its nature.
_PWRITE_EXCLUSIONS = {
    "cancel_test": [
        # No private blocks, so no slots.
        "*OneDuringAddsLosesNoneAndNoSlot",
    ],
    "crash_test": [
        # The same files for half a minute more.
        "*SigkillLeavesTheFilesAsTheyWereAtTheInstruction",
    ],
    "daemon_test": [
        # The parent's file is not the child's to write to.
        "*WorkerThatDropsFirstIsACountedNoOpIn0700",
        "*FileFromBeforeTheDropCountsOnAndItsChildrenAreToldOf",
        # It has a descriptor (written_store_test closes it).
        "*ClosingAllDescriptorsWhileThreadsCountLosesNothing*",
    ],
    "exit_test": [],
    "first_use_test": [
        "*LeavesNoDescriptorAndNoThread",  # one
    ],
    "fork_test": [],
    "instruments_test": [],
    "life_lock_test": [
        # A child of _Fork() has the descriptor until it counts or execs.
        "*IsNotInheritedByChildrenThatOutliveTheWriter",
        # Closing the descriptor is the end of the file (written_store_test).
        "*SurvivesOpeningAndClosingTheFileElsewhere",
    ],
    "namespace_test": [
        # The descriptor is in the thread's table alone.
        "*ThreadWithDescriptorsOfItsOwnMakesTheFile",
    ],
    "no_malloc_test": [],
    "odd_fork_test": [
        # The same of a vfork child, whose exec closes it.
        "*FileMadeByAVforkChildIsItsParents",
        # No private blocks.
        "*ThreadOfARawChildDoesNotShareTheForkingThreadsSlot",
    ],
    "process_labels_test": [],
    "raw_fork_test": [],
    "registration_test": [],
    "resource_limit_test": [
        # Written_store_test has its own: the file needs its descriptor, and the
        # limit forbids the write.
        "*DescriptorsAreNotNeededAfterTheStart",
        "*FileSizeLimitSetAfterTheStartHarmsNobody",
    ],
    "series_cap_test": [],
    "shutdown_test": [
        # Looks at the mapping.
        "*ChildrenCountNothingAndLetGoOfTheFile",
    ],
    "signal_test": [],
    "small_stack_test": [],
    "step_test": [
        # No private blocks, so no slots.
        "*NoSlotIsLostWhereverAThreadsFirstAddIsInterrupted",
    ],
    "thread_test": [
        # Tens of millions of system calls.
        "*SixteenThreadsOnOneCounterLoseNothing",
        # No private blocks, so no slots.
        "*SlotsOfEndedThreadsServeNewOnes",
        "*OneSlotServesOneThreadAndSlotZeroTheOthers",
    ],
}

# Of Store::kMemory: suites of one process that look at numbers. The others are
# about files, locks and children, whose memory nobody can read.
_MEMORY_EXCLUSIONS = {
    "instruments_test": [],
    "no_malloc_test": [
        "*HandlersAndForkedChildrenDoNotCallIt",  # children
        "*CountingInVainDoesNotCallIt",  # needs no directory
    ],
    "registration_test": [],
    "series_cap_test": [
        "*ChildAtTheCapBringsAllSeriesAlong",  # children
        "*NonsenseInTheEnvironmentIsToldAndIgnored",  # removes its files
    ],
    "signal_test": [
        "*HandlerMayBeTheFirstToCountInAForkedChild",  # children
    ],
    "thread_test": [
        # Looked at after the end.
        "*ExitWhileDetachedThreadsCountIsHarmless",
        "*MainThreadMayEndBeforeTheOthers",
    ],
}

def _store_test(name, store, excluded):
    native.sh_test(
        name = name + "_" + store,
        size = "medium",
        srcs = ["store_test.sh"],
        args = [
            store,
            "$(location :%s)" % name,
            "'-%s'" % ":".join(excluded),
        ],
        data = [":" + name],
    )

def store_tests():
    for name, excluded in _PWRITE_EXCLUSIONS.items():
        _store_test(name, "pwrite", excluded)
    for name, excluded in _MEMORY_EXCLUSIONS.items():
        _store_test(name, "memory", excluded)
