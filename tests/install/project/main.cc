#include <writer/tine.h>

int main() {
  const tine::Counter built("built_total", "By another project.");
  built.Increment(2);
  return built.is_valid() ? 0 : 1;
}
