"""Nothing is lost: the function killed, the chain under any trouble, nets that fail, replays, redrives."""
