#pragma once
// Where functions have their bodies. Beside a header NAME.hpp may stand a NAME.ipp with the bodies of what it declares. The
// header includes it, so that all of cnix is headers; unless CNIX_PREBUILT is defined: the bodies then come from the library
// cnix::prebuilt, which has them compiled once, for the bundled policies over the bundled backends (docs/cmake.md#prebuilt).

#ifdef CNIX_PREBUILT
#define CNIX_INLINE
#else
/// Before the body of a function that is no template, in an .ipp.
#define CNIX_INLINE inline
#endif
