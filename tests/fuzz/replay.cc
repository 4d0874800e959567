// Where there is no libFuzzer: runs a fuzz target over the files of the folders it is given, so that every
// seed and every input that once broke something is an ordinary test. The empty input comes for free.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
  std::vector<std::uint8_t> input;
  LLVMFuzzerTestOneInput(input.data(), 0);
  int replayed = 0;
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) continue;
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      std::ifstream file(entry.path(), std::ios::binary);
      input.assign(std::istreambuf_iterator<char>(file), {});
      LLVMFuzzerTestOneInput(input.data(), input.size());
      ++replayed;
    }
  }
  std::printf("%d seeds replayed\n", replayed);
}
