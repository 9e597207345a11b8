#include <tine.h>

int main(void) {
  const tine_definition definition = {.size = sizeof definition,
                                      .type = TINE_COUNTER,
                                      .name = "built_total",
                                      .help = "By another project."};
  tine_series* built;
  if (tine_register_single(&definition, &built, NULL, 0) != TINE_OK) {
    return 1;
  }
  return tine_counter_add(built, 20) == TINE_OK ? 0 : 1;
}
