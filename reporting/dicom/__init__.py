"""The DICOM border of reporting: SEG, SR, encapsulated PDF and key images of a reading. RAS+ comes, LPS leaves."""
