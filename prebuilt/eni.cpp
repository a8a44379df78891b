#include <cnix/eni/pod.ipp>
