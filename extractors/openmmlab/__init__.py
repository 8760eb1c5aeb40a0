"""The networks of mmpose and mmdet: made from their packaged configurations, without a compiler."""
