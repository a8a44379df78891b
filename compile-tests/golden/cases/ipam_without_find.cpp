struct my_ipam : models::ipam<my_ipam> {
    void find() = delete;
};
cnix::ipam_plugin<my_ipam> it;
