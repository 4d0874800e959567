#pragma once

namespace nft {

/// Of family inet; sameroof.nft makes it.
inline constexpr const char* table = "sameroof";

}  // namespace nft
