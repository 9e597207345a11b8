// The control of signal_test: the same storm with adds in three instructions
// must lose counts. If it does not, the storm proves nothing.

#include "tests/writer/signal_storm.h"
#include "tests/writer/writer_test_base.h"

namespace tine::testing {
namespace {

class SignalControlTest : public WriterTest {};

TEST_F(SignalControlTest, AddsInThreeInstructionsLoseCounts) {
  TINE_SKIP_UNDER_TSAN("it puts signals off to places where nothing is lost");
  Run([] {
    SignalStorm storm;
    const StormResult result =
        storm.Run(SignalSource::kPthreadKill, Scaled(20'000));
    EXPECT_GT(result.handler_calls, 500u);
    EXPECT_TRUE(result.u64_value < result.expected_u64() ||
                result.step_backs > 0)
        << "u64: nothing was lost";
    EXPECT_TRUE(result.f64_value < result.expected_f64() ||
                result.step_backs > 0)
        << "f64: nothing was lost";
  });
}

}  // namespace
}  // namespace tine::testing
