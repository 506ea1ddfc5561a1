"""The sacroiliac grader: sacroiliitis of the patient and the stage of each joint, read along the joints."""
